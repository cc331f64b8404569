//! Helpers of the operating system: directories, file trust, clocks, deadlines and errors.

pub mod clock;
pub(crate) mod code_dir;
pub(crate) mod deadline;
pub mod os_error;
pub(crate) mod private_dir;
pub mod trust;
