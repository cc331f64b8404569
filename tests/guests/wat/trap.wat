;; Traps two calls down: `helper` and `deep_down` belong into the backtrace.
(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(func $deep_down
  (unreachable))

(func $helper
  (call $deep_down))

(func $run (result i32)
  (call $helper)
  (unreachable))
