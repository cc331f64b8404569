;; Imports a function that no host provides.
(import "acme:tools/magic@1.0.0" "cast" (func $cast))

(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(func $run (result i32)
  (call $cast)
  (unreachable))
