;; Traps in a nested call. The backtrace must contain `helper` and `deep_down`.
(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(func $deep_down
  (unreachable))

(func $helper
  (call $deep_down))

(func $run (result i32)
  (call $helper)
  (unreachable))
