;; Fills the log with long and then short lines, logs a panic message, and traps.
(import "ophost:plugin/log@0.1.0" "write"
  (func $log
    (param $level i32)
    (param $message i32) (param $message_length i32)
    (param $has_data i32) (param $data i32) (param $data_length i32)))

(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(data (i32.const 16) "panicked at src/lib.rs:7:5: boom")

(func $write_log (param $level i32) (param $message i32) (param $length i32)
  (call $log
    (local.get $level)
    (local.get $message) (local.get $length)
    (i32.const 0) (i32.const 0) (i32.const 0)))

(func $run (result i32)
  (local $line i32)
  (local $left i32)
  (local.set $line (call $fresh (i32.const 1) (i32.const 0x1000)))
  (memory.fill (local.get $line) (i32.const 0x61) (i32.const 0x1000))
  (local.set $left (i32.const 1000))
  (loop $again
    (call $write_log (i32.const 2) (local.get $line) (i32.const 0x1000))
    (br_if $again
      (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
  ;; Short lines use the rest of the log budget.
  (call $write_log (i32.const 2) (local.get $line) (i32.const 5))
  (local.set $left (i32.const 1000))
  (loop $again
    (call $write_log (i32.const 2) (local.get $line) (i32.const 1))
    (br_if $again
      (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
  (call $write_log (i32.const 4) (i32.const 16) (i32.const 32))
  (unreachable))
