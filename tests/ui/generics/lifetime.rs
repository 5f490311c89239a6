use shm::Shared;

#[derive(Shared)]
struct Text<'a> {
    text: &'a str,
}

fn main() {}
