use shm::Dict;

fn main() {
    let _ = |root: &Dict| root.get_as::<u64>("n");
}
