;; Grows a table by 10,000 elements at a time until the growth is denied.
(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(table $bomb 1 funcref)

(func $run (result i32)
  (loop $again
    (br_if $again
      (i32.ne
        (table.grow $bomb (ref.null func) (i32.const 10000))
        (i32.const -1))))
  (unreachable))
