"""``anyir demo``: the bundled images through the bundled network, with a sheet to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_anyir.cli.options import Device, Model, shown, torch_first

__all__ = ["demo"]


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="Folder for the results.")
    ] = Path("anyir-demo"),
    model: Model = "default",
    device: Device = "auto",
) -> None:
    """Restore the bundled samples: images, a contact sheet and a table of PSNR.

    For every sample OUT gets the degraded image, the restored one and the clean one; files of the
    same names are replaced.
    """
    torch_first()
    from napari_anyir.atomic_writing import atomic_write
    from napari_anyir.cli.scores import HOW, compare
    from napari_anyir.cli.sheet import draw_sheet
    from napari_anyir.cli.tables import bar, print_table
    from napari_anyir.files import read_image, write_image
    from napari_anyir.files.formats import extension_of
    from napari_anyir.inference import restore_with_record
    from napari_anyir.samples import FOLDER, SAMPLES

    if output.exists() and not output.is_dir():
        raise ValueError(f"'{output}' is a file; name a folder.")
    rows, pictures = [], []
    record = None
    with bar("Restoring samples") as progress:
        for sample in progress.track(SAMPLES.values()):
            degraded = read_image(FOLDER / sample.degraded)
            clean = read_image(FOLDER / sample.clean)
            pixels, record = restore_with_record(
                degraded.array, axes=degraded.axes, model=model, device=device
            )
            # A lossy format would add its own degradation to what is shown.
            lossless = ".tif" if degraded.format == "tiff" else ".png"
            restored = read_image(
                write_image(
                    output / f"{sample.key}-restored{lossless}", pixels, degraded.without_pixels()
                )
            )
            for image, role in ((degraded, "degraded"), (clean, "clean")):
                source = image.path
                if source is not None:
                    target = output / f"{sample.key}-{role}{extension_of(source)}"
                    with atomic_write(target) as part:
                        part.write_bytes(source.read_bytes())
            before, after = compare(degraded, clean), compare(restored, clean)
            rows.append(
                [
                    sample.title,
                    f"{before.psnr:.2f}",
                    f"{after.psnr:.2f}",
                    f"{after.psnr - before.psnr:+.2f}",
                    f"{before.ssim:.4f}",
                    f"{after.ssim:.4f}",
                    f"{record.seconds or 0:.1f}",
                    record.model,
                ]
            )
            pictures.append(
                (sample.title, (degraded.array, restored.array, clean.array), before, after)
            )
    sheet = write_image(output / "contact-sheet.png", draw_sheet(pictures))
    heads = ["PSNR in", "PSNR out", "gain", "SSIM in", "SSIM out", "seconds"]
    print_table(["sample", *heads, "model"], rows, numbers=heads, caption=HOW)
    if record is not None:
        typer.echo(f"On {record.device}, {record.precision}.")
    typer.echo(f"Look at {shown(sheet)}; all images are in {shown(output)}")
