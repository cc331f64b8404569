;; Sleeps in an endless loop, for 1 ms and for 0 ns alternately.
(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration"
  (func $subscribe_duration (param $nanoseconds i64) (result i32)))
(import "wasi:io/poll@0.2.0" "[method]pollable.block"
  (func $block (param $pollable i32)))
(import "wasi:io/poll@0.2.0" "[resource-drop]pollable"
  (func $drop (param $pollable i32)))

(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(func $sleep (param $nanoseconds i64)
  (local $pollable i32)
  (local.set $pollable (call $subscribe_duration (local.get $nanoseconds)))
  (call $block (local.get $pollable))
  (call $drop (local.get $pollable)))

(func $run (result i32)
  (loop $again
    (call $sleep (i64.const 1000000))
    (call $sleep (i64.const 0))
    (br $again))
  (unreachable))
