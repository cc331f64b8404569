;; What every guest shares: it is spliced in behind the guest's own text, see
;; `tests/src/guest.rs`. A guest brings:
;;
;;   (memory (export "memory") 1)               its first page is the guest's own
;;   (export "cabi_realloc" (func $allocate))   or something nastier
;;   (func $run (result i32) ...)               the answer to `invoke`
;;
;; Before this text come the globals `$description_start`, `$description_length`,
;; `$plugin_record` and `$heap_top`, and the data segment `$description`.

;; The bytes are copied when they are asked for, so that a description may be larger
;; than the guest's memory.
(func $describe (export "ophost:plugin/operations@0.1.0#describe") (result i32)
  (call $reserve
    (i32.add (global.get $description_start) (global.get $description_length)))
  (memory.init $description
    (global.get $description_start)
    (i32.const 0)
    (global.get $description_length))
  (global.get $plugin_record))

;; The input of a call, for a guest that looks at it.
(global $input (mut i32) (i32.const 0))
(global $input_length (mut i32) (i32.const 0))

(func $invoke (export "ophost:plugin/operations@0.1.0#invoke")
  (param $operation i32) (param $operation_length i32)
  (param $input i32) (param $input_length i32)
  (result i32)
  (global.set $input (local.get $input))
  (global.set $input_length (local.get $input_length))
  (call $run))

;; Returns `ok(text)` as `invoke` must: the address of a `result<json, failure>`,
;; whose 52 bytes are fresh and therefore zero, which is the tag of `ok`.
(func $answer (param $text i32) (param $text_length i32) (result i32)
  (local $result i32)
  (local.set $result (call $fresh (i32.const 4) (i32.const 52)))
  (i32.store offset=4 (local.get $result) (local.get $text))
  (i32.store offset=8 (local.get $result) (local.get $text_length))
  (local.get $result))

;; An honest `cabi_realloc` that never frees. It cannot resize, and need not: the host
;; knows how long a UTF-8 text is before it asks.
(func $allocate
  (param $old i32) (param $old_length i32) (param $alignment i32) (param $length i32)
  (result i32)
  (if (local.get $old) (then (unreachable)))
  (call $fresh (local.get $alignment) (local.get $length)))

;; Returns the address of memory that nobody used before, all zero.
(func $fresh (param $alignment i32) (param $length i32) (result i32)
  (local $start i32)
  ;; (top + alignment - 1) & -alignment
  (local.set $start
    (i32.and
      (i32.sub
        (i32.add (global.get $heap_top) (local.get $alignment))
        (i32.const 1))
      (i32.sub (i32.const 0) (local.get $alignment))))
  (global.set $heap_top (i32.add (local.get $start) (local.get $length)))
  (call $reserve (global.get $heap_top))
  (local.get $start))

;; Grows the memory until it reaches `$end`; traps where that is refused.
(func $reserve (param $end i32)
  (local $missing_pages i32)
  (local.set $missing_pages
    (i32.sub
      (i32.shr_u (i32.add (local.get $end) (i32.const 0xffff)) (i32.const 16))
      (memory.size)))
  (if (i32.gt_s (local.get $missing_pages) (i32.const 0))
    (then
      (if (i32.eq (memory.grow (local.get $missing_pages)) (i32.const -1))
        (then (unreachable))))))
