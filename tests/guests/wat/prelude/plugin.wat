;; The common fields of all guests. `tests/src/guest.rs` appends them to the text of a guest, which
;; provides:
;;
;;   (memory (export "memory") 1)               the first page belongs to the guest
;;   (export "cabi_realloc" (func $allocate))   or a hostile function
;;   (func $run (result i32) ...)               returns the result of `invoke`
;;
;; The globals `$description_start`, `$description_length`, `$plugin_record` and `$heap_top`, and
;; the data segment `$description` precede this text.

;; Copies the description at each call, so that it can be larger than the guest's initial memory.
(func $describe (export "ophost:plugin/operations@0.1.0#describe") (result i32)
  (call $reserve
    (i32.add (global.get $description_start) (global.get $description_length)))
  (memory.init $description
    (global.get $description_start)
    (i32.const 0)
    (global.get $description_length))
  (global.get $plugin_record))

;; The input of the current call, for guests that read it.
(global $input (mut i32) (i32.const 0))
(global $input_length (mut i32) (i32.const 0))

(func $invoke (export "ophost:plugin/operations@0.1.0#invoke")
  (param $operation i32) (param $operation_length i32)
  (param $input i32) (param $input_length i32)
  (result i32)
  (global.set $input (local.get $input))
  (global.set $input_length (local.get $input_length))
  (call $run))

;; Returns the address of `ok(text)`, a `result<json, failure>` of 52 bytes. New memory is zero,
;; which is the tag of `ok`.
(func $answer (param $text i32) (param $text_length i32) (result i32)
  (local $result i32)
  (local.set $result (call $fresh (i32.const 4) (i32.const 52)))
  (i32.store offset=4 (local.get $result) (local.get $text))
  (i32.store offset=8 (local.get $result) (local.get $text_length))
  (local.get $result))

;; A correct `cabi_realloc` that never frees. It traps on a resize, which the host does not request,
;; because the length of a UTF-8 text is known in advance.
(func $allocate
  (param $old i32) (param $old_length i32) (param $alignment i32) (param $length i32)
  (result i32)
  (if (local.get $old) (then (unreachable)))
  (call $fresh (local.get $alignment) (local.get $length)))

;; Returns the address of new memory, all zero.
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

;; Grows the memory up to the address `$end`. Traps if the growth is denied.
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
