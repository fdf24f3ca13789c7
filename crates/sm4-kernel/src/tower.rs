//! GF(((2^2)^2)^2), and the S-box as a circuit of XOR, AND and NOT: no tables, no branches on data, any number of bytes at once.
//!
//! ```text
//! GF(4)   = GF(2)[w]  / (w^2 + w + 1)        elements a0 + a1 w
//! GF(16)  = GF(4)[z]  / (z^2 + z + w)        elements b0 + b1 z
//! GF(256) = GF(16)[y] / (y^2 + y + w z)      elements c0 + c1 y; a byte holds c0 in its low half, b0 in a half's low half
//! ```
//! In each step `inv(c0 + c1 y) = ((c0 + c1) + c1 y) · inv(c0 · (c0 + c1) + c1^2 · constant)`.
use crate::field::{Affine, Field, sbox_around_inversion};
use core::ops::{BitAnd, BitXor, Not};

/// An affine map on bit-sliced bytes. A macro, so that the matrix is a constant in every condition and none is left at run time.
macro_rules! affine {
    ($map:expr, $x:expr) => {
        [
            row!($map, $x, 0),
            row!($map, $x, 1),
            row!($map, $x, 2),
            row!($map, $x, 3),
            row!($map, $x, 4),
            row!($map, $x, 5),
            row!($map, $x, 6),
            row!($map, $x, 7),
        ]
    };
}

macro_rules! row {
    ($map:expr, $x:expr, $row:literal) => {{
        let mut sum = P::default();
        term!($map, $x, $row, sum, 0, 1, 2, 3, 4, 5, 6, 7);
        if const { $map.constant >> $row & 1 == 1 } { !sum } else { sum }
    }};
}

macro_rules! term {
    ($map:expr, $x:expr, $row:literal, $sum:ident, $($bit:literal),*) => {
        $(if const { $map.matrix.0[$row] >> $bit & 1 == 1 } { $sum = $sum ^ $x[$bit]; })*
    };
}

/// Something whose bits are independent of each other: a word, or several.
pub(crate) trait Plane:
    Copy + BitXor<Output = Self> + BitAnd<Output = Self> + Not<Output = Self> + Default
{
}

impl Plane for u32 {}

/// An element of GF(4), bit-sliced.
#[derive(Clone, Copy)]
struct Gf4<P>([P; 2]);

/// An element of GF(16), bit-sliced.
#[derive(Clone, Copy)]
struct Gf16<P>([Gf4<P>; 2]);

const AROUND: (Affine, Affine) = sbox_around_inversion(Field::Tower.best_isomorphism());
const BEFORE: Affine = AROUND.0;
const AFTER: Affine = AROUND.1;

/// SM4's S-box on bit-sliced bytes: `x[i]` holds bit i of each.
#[inline(always)]
pub(crate) fn sbox<P: Plane>(x: [P; 8]) -> [P; 8] {
    let [a, b, c, d, e, f, g, h] = affine!(BEFORE, x);
    let low = Gf16([Gf4([a, b]), Gf4([c, d])]);
    let high = Gf16([Gf4([e, f]), Gf4([g, h])]);
    let sum = low + high;
    let norm = low * sum + high.square_times_wz();
    let inverse = norm.invert();
    let Gf16([Gf4([a, b]), Gf4([c, d])]) = sum * inverse;
    let Gf16([Gf4([e, f]), Gf4([g, h])]) = high * inverse;
    let y = [a, b, c, d, e, f, g, h];
    affine!(AFTER, y)
}

// === impl Gf4 ===

impl<P: Plane> Gf4<P> {
    #[inline(always)]
    fn times_w(self) -> Self {
        let [low, high] = self.0;
        Self([high, low ^ high])
    }

    /// Squaring, which is also the inversion: every element is a root of x^4 = x.
    #[inline(always)]
    fn square(self) -> Self {
        let [low, high] = self.0;
        Self([low ^ high, high])
    }
}

impl<P: Plane> core::ops::Add for Gf4<P> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self([self.0[0] ^ other.0[0], self.0[1] ^ other.0[1]])
    }
}

impl<P: Plane> core::ops::Mul for Gf4<P> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let ([a0, a1], [b0, b1]) = (self.0, other.0);
        let low = a0 & b0;
        Self([low ^ (a1 & b1), low ^ ((a0 ^ a1) & (b0 ^ b1))])
    }
}

// === impl Gf16 ===

impl<P: Plane> Gf16<P> {
    /// `w z · self^2`, from `(b0 + b1 z)^2 = (b0^2 + w b1^2) + b1^2 z`.
    #[inline(always)]
    fn square_times_wz(self) -> Self {
        let [low, high] = self.0;
        let (low, high) = (low.square(), high.square());
        // (l + h z) w z = w^2 h + (w l + w h) z, with l = low + w high and h = high.
        let l = low + high.times_w();
        Self([high.times_w().times_w(), (l + high).times_w()])
    }

    #[inline(always)]
    fn invert(self) -> Self {
        let [low, high] = self.0;
        let sum = low + high;
        let inverse = (low * sum + high.square().times_w()).square();
        Self([sum * inverse, high * inverse])
    }
}

impl<P: Plane> core::ops::Add for Gf16<P> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self([self.0[0] + other.0[0], self.0[1] + other.0[1]])
    }
}

impl<P: Plane> core::ops::Mul for Gf16<P> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let ([a0, a1], [b0, b1]) = (self.0, other.0);
        let low = a0 * b0;
        Self([low + (a1 * b1).times_w(), low + (a0 + a1) * (b0 + b1)])
    }
}

// ------------------------------------------------------------------- the same field on single bytes, for constants

/// The product of two bytes, straight from the definition.
pub(crate) const fn multiply(a: u8, b: u8) -> u8 {
    // y^2 = y + w z, and w z is 0b1000: b1 = w.
    step(a, b, 4, 0b1000)
}

/// One storey of the tower: halves of `bits` bits, `generator^2 = generator + constant`.
const fn step(a: u8, b: u8, bits: u32, constant: u8) -> u8 {
    if bits == 0 {
        return a & b;
    }
    // z^2 = z + w with w = 0b10; w^2 = w + 1.
    let (below, inner) = match bits {
        4 => (2, 0b10),
        2 => (1, 0b1),
        _ => (0, 0),
    };
    let mask = (1 << bits) - 1;
    let (a0, a1, b0, b1) = (a & mask, a >> bits, b & mask, b >> bits);
    let top = step(a1, b1, below, inner);
    let low = step(a0, b0, below, inner) ^ step(top, constant, below, inner);
    let high = step(a0, b1, below, inner) ^ step(a1, b0, below, inner) ^ top;
    low | high << bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::tests::sbox as by_definition;

    #[test]
    fn the_circuit_is_the_s_box() {
        for x in 0..=255u8 {
            let planes: [u32; 8] = core::array::from_fn(|bit| u32::from(x >> bit & 1));
            let out = sbox(planes);
            let value = out.iter().enumerate().fold(0, |byte, (bit, plane)| byte | ((plane & 1) as u8) << bit);
            assert_eq!(value, by_definition(x), "S({x:#04x})");
        }
    }
}
