//! Estimates the time for compiling a plugin.

use std::time::Duration;

use wasmparser::{Parser, Payload};

use super::compile;
use super::engine::Sandbox;
use crate::model::compiler::CompilerBackend;

/// Code bytes for which a compiler needs one second of CPU time, as measured for interpreters of
/// Python and JavaScript and for Go.
fn bytes_per_second(backend: CompilerBackend) -> u64 {
    match backend {
        CompilerBackend::Cranelift => 400_000,
        CompilerBackend::Winch => 2_000_000,
    }
}

impl Sandbox {
    /// Returns about how long it takes to compile a plugin if no other process needs the CPU.
    pub(crate) fn compile_time(&self, bytes: &[u8]) -> Duration {
        let rate = bytes_per_second(self.primary.options.backend) * compile::threads() as u64;
        Duration::from_millis(code_size(bytes) * 1_000 / rate)
    }
}

/// Returns the bytes of all functions. Data does not need to be compiled.
fn code_size(bytes: &[u8]) -> u64 {
    let size = |payload| match payload {
        Payload::CodeSectionStart { size, .. } => u64::from(size),
        _ => 0,
    };
    let payloads = Parser::new(0).parse_all(bytes).map_while(Result::ok);
    payloads.map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a module with a function of two instructions and with a data section.
    fn module(data: u8) -> Vec<u8> {
        let code = [0x03, 2, 1, 0, 0x0a, 5, 1, 3, 0, 0x01, 0x0b];
        let mut module = [b"\0asm\x01\0\0\0".as_slice(), &code].concat();
        module.extend([0x0b, data + 6, 1, 0, 0x41, 0, 0x0b, data]);
        module.extend(vec![b'x'; usize::from(data)]);
        module
    }

    #[test]
    fn size_of_code_includes_nested_modules_and_no_data() {
        assert_eq!((code_size(&module(1)), code_size(&module(100))), (4, 4));
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        for module in [module(1), module(2)] {
            component.extend([1, u8::try_from(module.len()).unwrap()]);
            component.extend(module);
        }
        assert_eq!(code_size(&component), 8);
        assert_eq!(code_size(b"text"), 0);
    }
}
