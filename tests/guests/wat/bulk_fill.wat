;; Fills 64 MiB in an endless loop, each time with one instruction that cannot be interrupted.
;; If the host allows less memory, the guest fills all of its memory.
(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(func $run (result i32)
  (call $grow)
  (loop $again
    (memory.fill
      (i32.const 0)
      (i32.const 0xff)
      (i32.shl (memory.size) (i32.const 16)))
    (br $again))
  (unreachable))

;; Grows the memory to 1024 pages (64 MiB), or to the limit of the host.
(func $grow
  (block $done
    (loop $again
      (br_if $done (i32.ge_u (memory.size) (i32.const 1024)))
      (br_if $again
        (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))))
