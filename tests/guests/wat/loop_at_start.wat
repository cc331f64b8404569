;; Loops forever during instantiation, so that not even `describe` can be called.
(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(start $spin)

(func $spin
  (loop $forever (br $forever)))

(func $run (result i32)
  (unreachable))
