;; The two loops of the data plane over float32 input. Imports nothing: it sees its own memory and no more.
;; grid-sum.ts's plain.ts computes the same bits; a property test holds the two together.
;;
;; Every lane does what the scalar formula says and no more: no fused multiply-add, no reassociation.
(module
  (import "fedclave" "memory" (memory 1 65536))

  ;; accumulator[i] += (weight * x[i] + magic) - magic, for i in 0 .. count-1.
  ;; x: float32 at `source`, accumulators: float64 at `target`, both byte addresses; count may be 0.
  (func (export "fold")
    (param $source i32) (param $target i32) (param $count i32) (param $weight f64) (param $magic f64)
    (local $end8 i32) (local $end i32) (local $w v128) (local $m v128) (local $x v128)
    (local.set $w (f64x2.splat (local.get $weight)))
    (local.set $m (f64x2.splat (local.get $magic)))
    (local.set $end (i32.add (local.get $source) (i32.shl (local.get $count) (i32.const 2))))
    (local.set $end8
      (i32.add (local.get $source) (i32.shl (i32.and (local.get $count) (i32.const -8)) (i32.const 2))))
    (block $done8
      (loop $next8
        (br_if $done8 (i32.ge_u (local.get $source) (local.get $end8)))
        (v128.store (local.get $target)
          (f64x2.add (v128.load (local.get $target))
            (f64x2.sub
              (f64x2.add
                (f64x2.mul (local.get $w) (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $source))))
                (local.get $m))
              (local.get $m))))
        (v128.store offset=16 (local.get $target)
          (f64x2.add (v128.load offset=16 (local.get $target))
            (f64x2.sub
              (f64x2.add
                (f64x2.mul (local.get $w) (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $source))))
                (local.get $m))
              (local.get $m))))
        (v128.store offset=32 (local.get $target)
          (f64x2.add (v128.load offset=32 (local.get $target))
            (f64x2.sub
              (f64x2.add
                (f64x2.mul (local.get $w) (f64x2.promote_low_f32x4 (v128.load64_zero offset=16 (local.get $source))))
                (local.get $m))
              (local.get $m))))
        (v128.store offset=48 (local.get $target)
          (f64x2.add (v128.load offset=48 (local.get $target))
            (f64x2.sub
              (f64x2.add
                (f64x2.mul (local.get $w) (f64x2.promote_low_f32x4 (v128.load64_zero offset=24 (local.get $source))))
                (local.get $m))
              (local.get $m))))
        (local.set $source (i32.add (local.get $source) (i32.const 32)))
        (local.set $target (i32.add (local.get $target) (i32.const 64)))
        (br $next8)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $source) (local.get $end)))
        (f64.store (local.get $target)
          (f64.add (f64.load (local.get $target))
            (f64.sub
              (f64.add
                (f64.mul (local.get $weight) (f64.promote_f32 (f32.load (local.get $source))))
                (local.get $magic))
              (local.get $magic))))
        (local.set $source (i32.add (local.get $source) (i32.const 4)))
        (local.set $target (i32.add (local.get $target) (i32.const 8)))
        (br $next))))

  ;; Largest bit pattern of |x[i]|, which orders like the magnitude: below 0x7f800000 every x is finite.
  ;; x: float32 at `source`, padded by the caller with zeros to a multiple of 16; count: elements so padded.
  (func (export "largest") (param $source i32) (param $count i32) (result i32)
    (local $end i32) (local $mask v128) (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $mask (i32x4.splat (i32.const 0x7fffffff)))
    (local.set $end (i32.add (local.get $source) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $source) (local.get $end)))
        (local.set $a (i32x4.max_u (local.get $a)
          (v128.and (local.get $mask) (v128.load (local.get $source)))))
        (local.set $b (i32x4.max_u (local.get $b)
          (v128.and (local.get $mask) (v128.load offset=16 (local.get $source)))))
        (local.set $c (i32x4.max_u (local.get $c)
          (v128.and (local.get $mask) (v128.load offset=32 (local.get $source)))))
        (local.set $d (i32x4.max_u (local.get $d)
          (v128.and (local.get $mask) (v128.load offset=48 (local.get $source)))))
        (local.set $source (i32.add (local.get $source) (i32.const 64)))
        (br $next)))
    (local.set $a (i32x4.max_u
      (i32x4.max_u (local.get $a) (local.get $b)) (i32x4.max_u (local.get $c) (local.get $d))))
    (local.set $a (i32x4.max_u (local.get $a)
      (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $a) (local.get $a))))
    (local.set $a (i32x4.max_u (local.get $a)
      (i8x16.shuffle 4 5 6 7 0 1 2 3 12 13 14 15 8 9 10 11 (local.get $a) (local.get $a))))
    (i32x4.extract_lane 0 (local.get $a)))

  ;; Sum of x[i]^2 in float64: eight running sums, one per i mod 8, added up as
  ;; ((s0+s1)+(s2+s3))+((s4+s5)+(s6+s7)). Input as for `largest`.
  (func (export "squares") (param $source i32) (param $count i32) (result f64)
    (local $end i32) (local $x v128)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $end (i32.add (local.get $source) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $source) (local.get $end)))
        (local.set $x (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $source))))
        (local.set $a (f64x2.add (local.get $a) (f64x2.mul (local.get $x) (local.get $x))))
        (local.set $x (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $source))))
        (local.set $b (f64x2.add (local.get $b) (f64x2.mul (local.get $x) (local.get $x))))
        (local.set $x (f64x2.promote_low_f32x4 (v128.load64_zero offset=16 (local.get $source))))
        (local.set $c (f64x2.add (local.get $c) (f64x2.mul (local.get $x) (local.get $x))))
        (local.set $x (f64x2.promote_low_f32x4 (v128.load64_zero offset=24 (local.get $source))))
        (local.set $d (f64x2.add (local.get $d) (f64x2.mul (local.get $x) (local.get $x))))
        (local.set $source (i32.add (local.get $source) (i32.const 32)))
        (br $next)))
    (f64.add
      (f64.add
        (f64.add (f64x2.extract_lane 0 (local.get $a)) (f64x2.extract_lane 1 (local.get $a)))
        (f64.add (f64x2.extract_lane 0 (local.get $b)) (f64x2.extract_lane 1 (local.get $b))))
      (f64.add
        (f64.add (f64x2.extract_lane 0 (local.get $c)) (f64x2.extract_lane 1 (local.get $c)))
        (f64.add (f64x2.extract_lane 0 (local.get $d)) (f64x2.extract_lane 1 (local.get $d)))))))
