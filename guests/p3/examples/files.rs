//! wasi:filesystem: `?read=/path`, `?write=/path` (the body; creates or replaces), `?delete=/path`, `?list=/dir`, `?preopens`.
//! An error is its code's name, with 403, 404 or 500; 404 too when no preopened directory holds the path.

use coracle_guests_contract::{Reply, code, file_status, preopen};
use coracle_guests_p3::{Answer, Body, answer, body, collect, service, target};
use wasip3::filesystem::preopens;
use wasip3::filesystem::types::{Descriptor, DescriptorFlags, DescriptorType, ErrorCode, OpenFlags, PathFlags};
use wasip3::http::types::Request;

service!(handle);

async fn handle(request: Request) -> Answer {
    let target = target(&request);
    let (incoming, _) = body(request);
    let reply = match target.pairs().first().map(|(name, path)| (name.as_str(), path.as_str())) {
        Some(("read", path)) => read(path).await,
        Some(("write", path)) => write(path, incoming).await,
        Some(("delete", path)) => delete(path).await,
        Some(("list", path)) => list(path).await,
        Some(("preopens", _)) => {
            Ok(Reply::text(200, lines(preopens::get_directories().into_iter().map(|(_, name)| name))))
        }
        _ => Ok(Reply::text(400, "use ?read=, ?write=, ?delete=, ?list= or ?preopens")),
    };
    Ok(answer(reply.unwrap_or_else(|reply| reply)))
}

fn refused(error: ErrorCode) -> Reply {
    let name = code(&format!("{error:?}"));
    Reply::text(file_status(&name), name)
}

fn lines(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<_> = names.map(|name| name + "\n").collect();
    names.sort();
    names.concat()
}

/// The preopened directory of a path, and the rest of the path.
fn resolve(path: &str) -> Result<(Descriptor, &str), Reply> {
    let mut directories = preopens::get_directories();
    let names: Vec<_> = directories.iter().map(|(_, name)| name.as_str()).collect();
    let (index, rest) = preopen(&names, path).ok_or_else(|| Reply::text(404, "no preopened directory"))?;
    Ok((directories.swap_remove(index).0, rest))
}

async fn open(path: &str, how: OpenFlags, rights: DescriptorFlags) -> Result<Descriptor, Reply> {
    let (directory, rest) = resolve(path)?;
    directory.open_at(PathFlags::SYMLINK_FOLLOW, rest.to_owned(), how, rights).await.map_err(refused)
}

async fn read(path: &str) -> Result<Reply, Reply> {
    let file = open(path, OpenFlags::empty(), DescriptorFlags::READ).await?;
    let (content, result) = file.read_via_stream(0);
    let content = collect(content).await;
    result.await.map_err(refused)?;
    Ok(Reply::bytes(content))
}

async fn write(path: &str, content: Body) -> Result<Reply, Reply> {
    let file = open(path, OpenFlags::CREATE | OpenFlags::TRUNCATE, DescriptorFlags::WRITE).await?;
    file.write_via_stream(content, 0).await.map_err(refused)?;
    Ok(Reply::done())
}

async fn delete(path: &str) -> Result<Reply, Reply> {
    let (directory, rest) = resolve(path)?;
    directory.unlink_file_at(rest.to_owned()).await.map_err(refused)?;
    Ok(Reply::done())
}

async fn list(path: &str) -> Result<Reply, Reply> {
    let directory = open(path, OpenFlags::DIRECTORY, DescriptorFlags::READ).await?;
    let (entries, result) = directory.read_directory();
    let entries = entries.collect().await;
    result.await.map_err(refused)?;
    let shown = entries.into_iter().map(|entry| match entry.type_ {
        DescriptorType::Directory => entry.name + "/",
        _ => entry.name,
    });
    Ok(Reply::text(200, lines(shown)))
}
