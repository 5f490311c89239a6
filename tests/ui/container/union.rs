use shm::Shared;

#[derive(Clone, Copy, Shared)]
union Bits {
    float: f32,
    int: u32,
}

fn main() {}
