//! ipaictl keeps Docker hosts the way a git repository says: desired → observed → plan → apply → record.
//!
//! The modules below are in reading order, which is the direction in which data flows; none imports a later one.

pub mod model;
pub mod config;
pub mod telemetry;
pub mod clients;
pub mod odoo;
pub mod engine;
pub mod skills;
pub mod desired;
pub mod observed;
pub mod plan;
pub mod apply;
pub mod record;
pub mod reconcile;
pub mod doctor;
pub mod daemon;
pub mod error;
pub mod cli;
pub mod web;
