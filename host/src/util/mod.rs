//! Helpers: directories, file trust, clocks, deadlines, system errors and text encodings.

pub mod clock;
pub(crate) mod code_dir;
pub(crate) mod deadline;
pub mod os_error;
pub(crate) mod private_dir;
pub mod text_encoding;
pub mod trust;
