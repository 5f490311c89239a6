//! Which field a cell of a struct belongs to, for messages.

use std::fmt::Write as _;

use super::{FieldType, Schema};

impl Schema {
    /// The path of the field that a cell belongs to, such as `spare.names[2]`.
    pub(crate) fn path_of(&self, mut cell: usize) -> Option<String> {
        let mut schema = self;
        let mut path = String::new();
        loop {
            let field = schema.fields().iter().find(|field| {
                let first = field.place().cells;
                (first..first + field.layout().cells).contains(&cell)
            })?;
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(field.name());
            cell -= field.place().cells;
            let mut ty = field.ty();
            loop {
                match ty {
                    FieldType::Option(inner) => ty = inner,
                    FieldType::Array(element, _) => {
                        let each = element.layout().map_or(1, |layout| layout.cells).max(1);
                        // Writing into a String cannot fail.
                        let _ = write!(path, "[{}]", cell / each);
                        cell %= each;
                        ty = element;
                    }
                    FieldType::Struct(inner) => {
                        schema = inner;
                        break;
                    }
                    _ => return Some(path),
                }
            }
        }
    }
}
