//! Says how two schemas of one name differ, field by field.

use super::{Field, Schema};
use crate::error::Error;

/// How many differences a message lists.
const SHOWN: usize = 8;

impl Schema {
    /// The error that says how the stored schema (`self`) and the asked-for one differ.
    #[must_use]
    pub fn mismatch(&self, asked: &Schema) -> Error {
        let (mut differences, mut moved) = (Vec::new(), Vec::new());
        if self.name != asked.name {
            differences
                .push(format!("it is {:?} in the segment, {:?} here", self.name, asked.name));
        }
        if self.version != asked.version {
            let shown = |version| match version {
                0 => "no version".to_owned(),
                version => format!("version {version}"),
            };
            let (there, here) = (shown(self.version), shown(asked.version));
            differences.push(format!("{there} in the segment, {here} here"));
        }
        for (at, stored) in self.fields.iter().enumerate() {
            match asked.index_of(&stored.name) {
                None => differences.push(format!("{} only in the segment", shown(stored))),
                Some(index) => {
                    let Some(here) = asked.fields.get(index) else { continue };
                    if (&stored.ty, stored.readonly) != (&here.ty, here.readonly) {
                        differences.push(format!(
                            "{} in the segment, {} here",
                            shown(stored),
                            shown(here)
                        ));
                    } else if index != at {
                        moved.push(format!(
                            "{:?} is field {} in the segment, field {} here",
                            stored.name,
                            at + 1,
                            index + 1
                        ));
                    }
                }
            }
        }
        for here in &asked.fields {
            if self.index_of(&here.name).is_none() {
                differences.push(format!("{} only here", shown(here)));
            }
        }
        differences.append(&mut moved);
        if differences.len() > SHOWN {
            let more = differences.len() - SHOWN;
            differences.truncate(SHOWN);
            differences.push(format!("and {more} more"));
        }
        Error::SchemaMismatch { name: self.name.clone(), differences: differences.join("; ") }
    }
}

/// A field as in `id: u64 (read-only)`; of nested structs just the name.
fn shown(field: &Field) -> String {
    let text = field.ty.to_string();
    let ty = if text.len() > 60 {
        format!("{}...", text.chars().take(57).collect::<String>())
    } else {
        text
    };
    let mark = if field.readonly { " (read-only)" } else { "" };
    format!("{}: {ty}{mark}", field.name)
}
