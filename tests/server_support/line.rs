//! The access log, read back.

/// A record of the access log.
#[derive(Debug)]
pub struct Line(pub Vec<String>);

// === impl Line ===

impl Line {
    pub fn parse(line: &str) -> Self {
        let (mut fields, mut field, mut closing) = (Vec::new(), String::new(), None);
        for character in line.chars() {
            match (closing, character) {
                (None, ' ') => {
                    fields.push(std::mem::take(&mut field));
                    continue;
                }
                (None, '"') => closing = Some('"'),
                (None, '[') => closing = Some(']'),
                (Some(end), c) if c == end => closing = None,
                _ => {}
            }
            field.push(character);
        }
        fields.push(field);
        assert_eq!(fields.len(), 27, "{line}");
        Self(fields)
    }

    pub fn bucket(&self) -> &str {
        &self.0[1]
    }
    pub fn requester(&self) -> &str {
        &self.0[4]
    }
    pub fn request_id(&self) -> &str {
        &self.0[5]
    }
    pub fn operation(&self) -> &str {
        &self.0[6]
    }
    pub fn key(&self) -> &str {
        &self.0[7]
    }
    pub fn status(&self) -> &str {
        &self.0[9]
    }
    pub fn error(&self) -> &str {
        &self.0[10]
    }
    pub fn bytes_sent(&self) -> &str {
        &self.0[11]
    }
    pub fn tls(&self) -> (&str, &str) {
        (&self.0[23], &self.0[20])
    }
}
