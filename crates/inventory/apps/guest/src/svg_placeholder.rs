//! `GET /:size/:background/:colour` of svg-placeholder 2.0.0.

use crate::Answer;

pub fn image(path: &str) -> Option<Answer> {
    let mut parts = path.trim_matches('/').split('/');
    let size = parts.next()?;
    let (width, height) = match size.split_once('x') {
        Some((width, height)) => (width.parse::<u32>().ok()?, height.parse::<u32>().ok()?),
        None => (size.parse().ok()?, size.parse().ok()?),
    };
    let background = parts.next().unwrap_or("eeeeee");
    let colour = parts.next().unwrap_or("aaaaaa");
    let (w, h) = (f64::from(width), f64::from(height));
    let font = 12_f64.max((w.min(h) * 0.75).min(0.75 * w.max(h) / 12.0)).round();
    let (x, y) = (w / 2.0, h / 2.0);
    let body = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\">
  <rect width=\"{width}\" height=\"{height}\" fill=\"#{background}\"/>
  <text text-anchor=\"middle\" x=\"{x}\" y=\"{y}\"
    style=\"fill:#{colour};font-weight:bold;font-size:{font}px;font-family:Arial,Helvetica,sans-serif;dominant-baseline:central\">
    {width}x{height}
  </text>
</svg>"
    );
    Some(Answer { kind: "image/svg+xml", body })
}
