;; Returns an object with a duplicate key.
(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(data (i32.const 16) "{\"a\":1,\"a\":2}")

(func $run (result i32)
  (call $answer (i32.const 16) (i32.const 13)))
