//! Elements of XML that are written by hand. PURE.

/// Appends `<name>value</name>`; the value cannot be broken out of.
pub(super) fn push_element(xml: &mut String, name: &str, value: &str) {
    xml.extend(["<", name, ">"]);
    for character in value.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&apos;"),
            // XML 1.0 has no way to write these.
            character if character.is_control() => xml.push('\u{fffd}'),
            character => xml.push(character),
        }
    }
    xml.extend(["</", name, ">"]);
}
