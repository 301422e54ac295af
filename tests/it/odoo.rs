//! What modules and servers are: odoo.conf, checksums of content, what has to be installed or updated.

mod checksums;
mod conf;
mod updates;
