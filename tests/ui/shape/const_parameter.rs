use shm::Shared;

#[derive(Shared)]
struct Ring<const N: usize> {
    items: [u8; N],
}

fn main() {}
