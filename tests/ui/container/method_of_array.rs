use shm::Shared;

#[derive(Shared)]
struct Grid {
    cells: [u32; 4],
    items_cells: u8,
}

fn main() {}
