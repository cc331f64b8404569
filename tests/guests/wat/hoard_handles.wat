;; Creates timers in an endless loop and drops none.
(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration"
  (func $subscribe_duration (param $nanoseconds i64) (result i32)))

(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(func $run (result i32)
  (loop $again
    (drop (call $subscribe_duration (i64.const 3600000000000)))
    (br $again))
  (unreachable))
