;; Writes one line of 100,000 bytes to stdout, 4,000 bytes at a time and without a line break.
(import "wasi:cli/stdout@0.2.0" "get-stdout" (func $get_stdout (result i32)))
(import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
  (func $write
    (param $stream i32) (param $bytes i32) (param $length i32) (param $result i32)))

(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(data (i32.const 16) "{}")

(func $run (result i32)
  (local $stream i32)
  (local $line i32)
  (local $left i32)
  (local.set $stream (call $get_stdout))
  (local.set $line (call $fresh (i32.const 1) (i32.const 4000)))
  (memory.fill (local.get $line) (i32.const 0x61) (i32.const 4000))
  (local.set $left (i32.const 25))
  (loop $again
    (call $write
      (local.get $stream)
      (local.get $line) (i32.const 4000)
      (call $fresh (i32.const 4) (i32.const 12)))
    (br_if $again
      (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
  (call $answer (i32.const 16) (i32.const 2)))
