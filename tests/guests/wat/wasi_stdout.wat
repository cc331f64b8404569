;; Writes text and a colour escape sequence to stdout, then returns `{}`.
(import "wasi:cli/stdout@0.2.0" "get-stdout" (func $get_stdout (result i32)))
(import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
  (func $write
    (param $stream i32) (param $bytes i32) (param $length i32) (param $result i32)))

(memory (export "memory") 1)
(export "cabi_realloc" (func $allocate))

(data (i32.const 16) "hello from stdout\1b[31m\0a")
(data (i32.const 64) "{}")

(func $run (result i32)
  ;; The host writes its result to 12 bytes, which the guest ignores.
  (call $write
    (call $get_stdout)
    (i32.const 16) (i32.const 23)
    (call $fresh (i32.const 4) (i32.const 12)))
  (call $answer (i32.const 64) (i32.const 2)))
