;; Returns a number that is too large for 64-bit floating point.
(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(data (i32.const 16) "{\"value\": 1e400}")

(func $run (result i32)
  (call $answer (i32.const 16) (i32.const 16)))
