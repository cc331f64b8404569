;; Sleeps for an hour in a call to the host. No wasm code runs that could be interrupted.
(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration"
  (func $subscribe_duration (param $nanoseconds i64) (result i32)))
(import "wasi:io/poll@0.2.0" "[method]pollable.block"
  (func $block (param $pollable i32)))

(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(func $run (result i32)
  (call $block (call $subscribe_duration (i64.const 3600000000000)))
  (unreachable))
