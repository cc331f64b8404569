;; Returns a valid JSON string of 100 MiB.
(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(global $size i32 (i32.const 0x6400000))
(global $quote i32 (i32.const 0x22))

(func $run (result i32)
  (local $text i32)
  (local.set $text (call $fresh (i32.const 1) (global.get $size)))
  (memory.fill (local.get $text) (i32.const 0x61) (global.get $size))
  (i32.store8 (local.get $text) (global.get $quote))
  (i32.store8
    (i32.sub (i32.add (local.get $text) (global.get $size)) (i32.const 1))
    (global.get $quote))
  (call $answer (local.get $text) (global.get $size)))
