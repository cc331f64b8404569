;; Reports progress, item errors and log entries in an endless loop.
(import "ophost:plugin/progress@0.1.0" "report"
  (func $progress
    (param $done i64) (param $has_total i32) (param $total i64)
    (param $has_message i32) (param $message i32) (param $message_length i32)))
(import "ophost:plugin/item-errors@0.1.0" "add"
  (func $item_error
    (param $index i64)
    (param $item i32) (param $item_length i32)
    (param $error i32) (param $error_length i32)
    (param $has_traceback i32) (param $traceback i32) (param $traceback_length i32)))
(import "ophost:plugin/log@0.1.0" "write"
  (func $log
    (param $level i32)
    (param $message i32) (param $message_length i32)
    (param $has_data i32) (param $data i32) (param $data_length i32)))

(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

;; 32 nested lists, which need much more memory than their text.
(data (i32.const 16) "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]")

(func $run (result i32)
  (loop $again
    (call $progress
      (i64.const 1) (i32.const 0) (i64.const 0)
      (i32.const 1) (i32.const 16) (i32.const 64))
    (call $item_error
      (i64.const 0)
      (i32.const 16) (i32.const 64)
      (i32.const 16) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0))
    (call $log
      (i32.const 2)
      (i32.const 16) (i32.const 0)
      (i32.const 1) (i32.const 16) (i32.const 64))
    (br $again))
  (unreachable))
