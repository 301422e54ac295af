//! The lab: what an Odoo image does, said by tests that hold for the stand-in and for a real image alike.
//!
//! `IPAICTL_TEST_ODOO_IMAGE` names the image; without it the stand-in is used.

mod command_line;
mod databases;
mod http;
mod image;
mod logs;
mod mail;
mod modules;
mod neutralize;
pub mod odoo;
mod postgres;
mod server;
mod updates;
