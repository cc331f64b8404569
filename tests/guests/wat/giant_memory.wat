;; Declares an initial memory of 4 GiB, the maximum for 32-bit addresses.
(memory (export "memory") 65536)
(export "cabi_realloc" (func $allocate))

(func $run (result i32)
  (unreachable))
