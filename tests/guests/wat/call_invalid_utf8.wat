;; Logs two bytes that are not UTF-8.
(import "ophost:plugin/log@0.1.0" "write"
  (func $log
    (param $level i32)
    (param $message i32) (param $message_length i32)
    (param $has_data i32) (param $data i32) (param $data_length i32)))

(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(data (i32.const 16) "\ff\fe")

(func $run (result i32)
  (call $log
    (i32.const 2)
    (i32.const 16) (i32.const 2)
    (i32.const 0) (i32.const 0) (i32.const 0))
  (unreachable))
