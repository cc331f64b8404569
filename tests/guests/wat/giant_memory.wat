;; Begins with 4 GiB of memory, the most that 32 bits can address.
(memory (export "memory") 65536)
(export "cabi_realloc" (func $allocate))

(func $run (result i32)
  (unreachable))
