;; Returns 100,000 opening brackets, which overflow the stack of a recursive parser.
(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(global $depth i32 (i32.const 100000))

(func $run (result i32)
  (local $text i32)
  (local.set $text (call $fresh (i32.const 1) (global.get $depth)))
  (memory.fill (local.get $text) (i32.const 0x5b) (global.get $depth))
  (call $answer (local.get $text) (global.get $depth)))
