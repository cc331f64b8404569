;; Grows the memory by 64 pages (4 MiB) at a time until the growth is denied.
(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(func $run (result i32)
  (loop $again
    (br_if $again
      (i32.ne (memory.grow (i32.const 64)) (i32.const -1))))
  (unreachable))
