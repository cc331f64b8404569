//! Extism: its shared library, called through its C interface.
//!
//! A call makes a fresh plugin of code that was compiled before, as every call of ophost makes a
//! fresh instance. A second measurement calls a plugin that is kept.

#![expect(unsafe_code, reason = "Extism is a C library")]

use std::ffi::{CStr, c_char, c_void};
use std::path::Path;
use std::ptr;

use anyhow::{Result, ensure};
use libloading::Library;

/// A plugin that returns `{}`, like the tiny guest.
const PLUGIN: &str = r#"(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (memory (export "memory") 1)
  (func (export "run") (result i32)
    (local $text i64)
    (local.set $text (call $alloc (i64.const 2)))
    (call $store (local.get $text) (i32.const 0x7b))
    (call $store (i64.add (local.get $text) (i64.const 1)) (i32.const 0x7d))
    (call $output (local.get $text) (i64.const 2))
    (i32.const 0)))"#;
const OUTPUT: &[u8] = b"{}";

type CompiledNew = unsafe extern "C" fn(
    *const u8,
    u64,
    *const *const c_void,
    u64,
    bool,
    *mut *mut c_char,
) -> *mut c_void;
type PluginNew = unsafe extern "C" fn(*const c_void, *mut *mut c_char) -> *mut c_void;
type Call = unsafe extern "C" fn(*mut c_void, *const c_char, *const u8, u64) -> i32;
type OutputLength = unsafe extern "C" fn(*mut c_void) -> u64;
type OutputData = unsafe extern "C" fn(*mut c_void) -> *const u8;
type Free = unsafe extern "C" fn(*mut c_void);
type Version = unsafe extern "C" fn() -> *const c_char;

/// The library with a compiled plugin.
pub(crate) struct Extism {
    version: String,
    compiled: *mut c_void,
    plugin_new: PluginNew,
    call: Call,
    output_length: OutputLength,
    output_data: OutputData,
    plugin_free: Free,
    compiled_free: Free,
    /// Declared last, because the functions are part of the library.
    _library: Library,
}

impl Extism {
    /// Loads the library and compiles the plugin.
    ///
    /// # Errors
    ///
    /// Returns an error if the library cannot be loaded, or rejects the plugin.
    pub(crate) fn load(library: &Path) -> Result<Self> {
        let plugin = wat::parse_str(PLUGIN)?;
        // SAFETY: the file is the library of the package that xtask has installed. The types are
        // those of its header `extism.h`.
        unsafe {
            let library = Library::new(library)?;
            let compiled_new: CompiledNew = *library.get(b"extism_compiled_plugin_new")?;
            let version: Version = *library.get(b"extism_version")?;
            let mut message = ptr::null_mut();
            let (bytes, length) = (plugin.as_ptr(), plugin.len() as u64);
            let compiled = compiled_new(bytes, length, ptr::null(), 0, false, &raw mut message);
            ensure!(!compiled.is_null(), "Extism: {}", CStr::from_ptr(message).to_string_lossy());
            Ok(Self {
                version: CStr::from_ptr(version()).to_string_lossy().into_owned(),
                compiled,
                plugin_new: *library.get(b"extism_plugin_new_from_compiled")?,
                call: *library.get(b"extism_plugin_call")?,
                output_length: *library.get(b"extism_plugin_output_length")?,
                output_data: *library.get(b"extism_plugin_output_data")?,
                plugin_free: *library.get(b"extism_plugin_free")?,
                compiled_free: *library.get(b"extism_compiled_plugin_free")?,
                _library: library,
            })
        }
    }

    /// The version of Extism.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Returns a fresh plugin of the compiled code.
    ///
    /// # Errors
    ///
    /// Returns an error if Extism cannot create it.
    pub(crate) fn plugin(&self) -> Result<ExtismPlugin<'_>> {
        let mut message = ptr::null_mut();
        // SAFETY: `compiled` lives as long as `self`.
        let plugin = unsafe { (self.plugin_new)(self.compiled, &raw mut message) };
        ensure!(!plugin.is_null(), "Extism cannot create a plugin");
        Ok(ExtismPlugin { extism: self, plugin })
    }
}

impl Drop for Extism {
    fn drop(&mut self) {
        // SAFETY: every plugin borrows `self`, so none is left.
        unsafe { (self.compiled_free)(self.compiled) }
    }
}

/// A plugin that can be called.
pub(crate) struct ExtismPlugin<'e> {
    extism: &'e Extism,
    plugin: *mut c_void,
}

impl ExtismPlugin<'_> {
    /// Calls the plugin and checks its output.
    ///
    /// # Errors
    ///
    /// Returns an error if the call fails, or returns another output.
    pub(crate) fn call(&mut self) -> Result<()> {
        let Extism { call, output_length, output_data, .. } = *self.extism;
        // SAFETY: the plugin is alive. Its output is valid until the next call.
        let output = unsafe {
            let status = call(self.plugin, c"run".as_ptr(), OUTPUT.as_ptr(), OUTPUT.len() as u64);
            ensure!(status == 0, "Extism failed with {status}");
            let length = usize::try_from(output_length(self.plugin))?;
            std::slice::from_raw_parts(output_data(self.plugin), length)
        };
        ensure!(output == OUTPUT, "Extism returned another output");
        Ok(())
    }
}

impl Drop for ExtismPlugin<'_> {
    fn drop(&mut self) {
        // SAFETY: the plugin was created by this library, and is freed once.
        unsafe { (self.extism.plugin_free)(self.plugin) }
    }
}
