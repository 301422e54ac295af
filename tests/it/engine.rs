//! The engine's side against a real engine and the real Compose.

mod lab;
mod parity;
mod commands;
mod operations;
mod images;
mod speed;
