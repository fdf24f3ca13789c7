//! Arithmetic in GF(2^8), evaluated at compile time: where every matrix of this crate comes from.
//!
//! The S-box of SM4 (GB/T 32907-2016, a table there) is `S(x) = A · inv(A · x + C) + C` in GF(2)[x]/(x^8 + x^7 + x^6 + x^5 + x^4 + x^2 + 1),
//! with a circulant matrix A and `inv(0) = 0` (Liu, Ji, Hu and others, "Analysis of the SMS4 block cipher", ACISP 2007). That is the
//! inversion of AES in another basis: all fields of 256 elements are isomorphic, and an isomorphism is given by any root
//! of the one field's polynomial in the other field. `tests::the_s_box_is_the_standards_table` compares all 256 values.

/// A field of 256 elements: how two bytes multiply.
#[derive(Clone, Copy)]
pub(crate) enum Field {
    /// x^8 + x^7 + x^6 + x^5 + x^4 + x^2 + 1, that of SM4.
    #[cfg_attr(not(test), allow(dead_code, reason = "nothing is computed in it but what tests compare with"))]
    Sm4,
    /// x^8 + x^4 + x^3 + x + 1, that of AES (FIPS 197 section 4) and of the GFNI instructions.
    Aes,
    /// GF(((2^2)^2)^2), see [`crate::tower`].
    Tower,
}

/// A linear map of bytes. Bit j of `rows[i]` says whether bit j of the input counts for bit i of the output; bit 0 is the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Matrix(pub(crate) [u8; 8]);

/// `matrix · x + constant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Affine {
    pub(crate) matrix: Matrix,
    pub(crate) constant: u8,
}

/// SM4's own A and C: row i is the first row rotated by i bits.
pub(crate) const SM4_AFFINE: Affine = Affine { matrix: Matrix::circulant(0xa7), constant: 0xd3 };

/// AES's affine map (FIPS 197 section 5.1.1): output bit i is the sum of input bits i, i+4, i+5, i+6 and i+7, and of bit i of 0x63.
pub(crate) const AES_AFFINE: Affine = Affine { matrix: Matrix::circulant(0xf1), constant: 0x63 };

// === impl Field ===

impl Field {
    /// The product.
    pub(crate) const fn multiply(self, a: u8, b: u8) -> u8 {
        match self {
            Self::Sm4 => modulo(a, b, 0xf5),
            Self::Aes => modulo(a, b, 0x1b),
            Self::Tower => crate::tower::multiply(a, b),
        }
    }

    /// The isomorphism from the SM4 field to this one that sends x to `root`; `None` when that is no root of SM4's polynomial.
    pub(crate) const fn isomorphism(self, root: u8) -> Option<Matrix> {
        let mut powers = [1; 9];
        let mut at = 1;
        while at < 9 {
            powers[at] = self.multiply(powers[at - 1], root);
            at += 1;
        }
        let polynomial = powers[8] ^ powers[7] ^ powers[6] ^ powers[5] ^ powers[4] ^ powers[2] ^ powers[0];
        if polynomial != 0 {
            return None;
        }
        let [columns @ .., _] = powers;
        Some(Matrix::from_columns(columns))
    }

    /// The isomorphism with the fewest ones in what [`sbox_around_inversion`] makes of it: the cheapest one to compute.
    pub(crate) const fn best_isomorphism(self) -> Matrix {
        let (mut best, mut fewest) = (None, u32::MAX);
        let mut root = 2;
        while root < 256 {
            if let Some(map) = self.isomorphism(root as u8) {
                let (before, after) = sbox_around_inversion(map);
                let ones = before.matrix.ones() + after.matrix.ones();
                if ones < fewest {
                    (best, fewest) = (Some(map), ones);
                }
            }
            root += 1;
        }
        best.expect("isomorphic fields have a root of each other's polynomials")
    }
}

/// What stands before and after the inversion of a field when `S(x) = after(inv(before(x)))`; `map` leads from SM4's field to it.
pub(crate) const fn sbox_around_inversion(map: Matrix) -> (Affine, Affine) {
    let before = SM4_AFFINE.then(map);
    let after = Affine { matrix: SM4_AFFINE.matrix.times(map.inverse()), constant: SM4_AFFINE.constant };
    (before, after)
}

/// Carry-less product modulo x^8 + `low`.
const fn modulo(mut a: u8, mut b: u8, low: u8) -> u8 {
    let mut product = 0;
    while b != 0 {
        if b & 1 == 1 {
            product ^= a;
        }
        a = (a << 1) ^ if a & 0x80 != 0 { low } else { 0 };
        b >>= 1;
    }
    product
}

// === impl Matrix ===

impl Matrix {
    pub(crate) const IDENTITY: Self = Self([1, 2, 4, 8, 16, 32, 64, 128]);

    const fn circulant(first: u8) -> Self {
        let mut rows = [0; 8];
        let mut row = 0;
        while row < 8 {
            rows[row] = first.rotate_left(row as u32);
            row += 1;
        }
        Self(rows)
    }

    const fn from_columns(columns: [u8; 8]) -> Self {
        Self(columns).transposed()
    }

    const fn transposed(self) -> Self {
        let mut out = [0; 8];
        let mut at = 0;
        while at < 64 {
            out[at / 8] |= (self.0[at % 8] >> (at / 8) & 1) << (at % 8);
            at += 1;
        }
        Self(out)
    }

    /// `self · x`.
    pub(crate) const fn apply(self, x: u8) -> u8 {
        let (mut out, mut row) = (0, 0);
        while row < 8 {
            out |= ((self.0[row] & x).count_ones() as u8 & 1) << row;
            row += 1;
        }
        out
    }

    /// The map that first does `first`, then `self`.
    pub(crate) const fn times(self, first: Self) -> Self {
        let columns = first.transposed();
        let mut out = [0; 8];
        let mut at = 0;
        while at < 8 {
            out[at] = self.apply(columns.0[at]);
            at += 1;
        }
        Self::from_columns(out)
    }

    /// By Gauss and Jordan. Only for invertible ones: anything else does not compile (all uses are constants).
    pub(crate) const fn inverse(self) -> Self {
        let (mut left, mut right) = (self.0, Self::IDENTITY.0);
        let mut column = 0;
        while column < 8 {
            let mut pivot = column;
            while left[pivot] >> column & 1 == 0 {
                pivot += 1;
            }
            (left[column], left[pivot]) = (left[pivot], left[column]);
            (right[column], right[pivot]) = (right[pivot], right[column]);
            let mut row = 0;
            while row < 8 {
                if row != column && left[row] >> column & 1 == 1 {
                    left[row] ^= left[column];
                    right[row] ^= right[column];
                }
                row += 1;
            }
            column += 1;
        }
        Self(right)
    }

    const fn ones(self) -> u32 {
        u64::from_le_bytes(self.0).count_ones()
    }
}

// === impl Affine ===

impl Affine {
    /// The value at `x`.
    pub(crate) const fn apply(self, x: u8) -> u8 {
        self.matrix.apply(x) ^ self.constant
    }

    /// The map that first does this one, then the linear `next`.
    const fn then(self, next: Matrix) -> Self {
        Self { matrix: next.times(self.matrix), constant: next.apply(self.constant) }
    }

    /// The map that first does `first`, then this one.
    pub(crate) const fn after(self, first: Self) -> Self {
        Self { matrix: self.matrix.times(first.matrix), constant: self.apply(first.constant) }
    }

    /// The map that undoes this one.
    pub(crate) const fn inverse(self) -> Self {
        let matrix = self.matrix.inverse();
        Self { matrix, constant: matrix.apply(self.constant) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The S-box of GB/T 32907-2016 section 6.2 (table 1), as printed.
    pub(crate) const STANDARD: &str = "\
        d690e9fecce13db716b614c228fb2c052b679a762abe04c3aa44132649860699\
        9c4250f491ef987a33540b43edcfac62e4b31ca9c908e89580df94fa758f3fa6\
        4707a7fcf37317ba83593c19e6854fa8686b81b27164da8bf8eb0f4b70569d35\
        1e240e5e6358d1a225227c3b01217887d40046579fd327524c3602e7a0c4c89e\
        eabf8ad240c738b5a3f7f2cef96115a1e0ae5da49b341a55ad933230f58cb1e3\
        1df6e22e8266ca60c02923ab0d534e6fd5db3745defd8e2f03ff6a726d6c5b51\
        8d1baf92bbddbc7f11d95c411f105ad80ac13188a5cd7bbd2d74d012b8e5b4b0\
        8969974a0c96777e65b9f109c56ec68418f07dec3adc4d2079ee5f3ed7cb3948";

    /// The definition, by looking for the inverse.
    pub(crate) fn sbox(x: u8) -> u8 {
        SM4_AFFINE.apply(inverse(Field::Sm4, SM4_AFFINE.apply(x)))
    }

    pub(crate) fn inverse(field: Field, a: u8) -> u8 {
        (1..=255).find(|b| field.multiply(a, *b) == 1).unwrap_or(0)
    }

    #[test]
    fn the_s_box_is_the_standards_table() {
        let computed: Vec<u8> = (0..=255).map(sbox).collect();
        assert_eq!(hex::encode(computed), STANDARD);
    }

    #[test]
    fn every_root_gives_an_isomorphism() {
        for field in [Field::Aes, Field::Tower] {
            let maps: Vec<_> = (0..=255).filter_map(|root| field.isomorphism(root)).collect();
            assert_eq!(maps.len(), 8, "a polynomial of degree 8 has its 8 conjugates as roots");
            for map in maps {
                assert_eq!(map.times(map.inverse()), Matrix::IDENTITY);
                for (a, b) in (0..=255).zip((0..=255).rev().chain(0..=255).step_by(2)) {
                    let image = field.multiply(map.apply(a), map.apply(b));
                    assert_eq!(map.apply(Field::Sm4.multiply(a, b)), image);
                }
            }
        }
    }

    #[test]
    fn the_s_box_comes_out_of_every_fields_inversion() {
        for field in [Field::Aes, Field::Tower] {
            let (before, after) = sbox_around_inversion(field.best_isomorphism());
            for x in 0..=255 {
                assert_eq!(after.apply(inverse(field, before.apply(x))), sbox(x));
            }
        }
    }

    #[test]
    fn an_affine_map_is_undone_by_its_inverse() {
        for map in [SM4_AFFINE, AES_AFFINE] {
            assert!((0..=255).all(|x| map.inverse().apply(map.apply(x)) == x));
            assert!((0..=255).all(|x| map.after(map).apply(x) == map.apply(map.apply(x))));
        }
    }
}
