;; Logs one message of 32 MiB, then returns `{}`.
(import "ophost:plugin/log@0.1.0" "write"
  (func $log
    (param $level i32)
    (param $message i32) (param $message_length i32)
    (param $has_data i32) (param $data i32) (param $data_length i32)))

(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(global $size i32 (i32.const 0x2000000))
(global $info i32 (i32.const 2))

(data (i32.const 16) "{}")

(func $run (result i32)
  (local $message i32)
  (local.set $message (call $fresh (i32.const 1) (global.get $size)))
  (memory.fill (local.get $message) (i32.const 0x61) (global.get $size))
  (call $log
    (global.get $info)
    (local.get $message) (global.get $size)
    (i32.const 0) (i32.const 0) (i32.const 0))
  (call $answer (i32.const 16) (i32.const 2)))
