"""Partition: from the real buildings of a quarter to connected grids of about 300 households.

What is measured is the CPU time of a proposal as it is served, without the store: sharing the
ground out into plots, cutting the graph, and putting the boundaries together; and how far the
worst grid is from the mean. The ceiling is the geometry library's Voronoi diagram of the same
points alone: nothing less makes plots.

    python -m bench.partition --buildings 3000
"""

import argparse
import csv
import gzip
from itertools import islice
from pathlib import Path
from time import process_time

import numpy as np
import shapely

from bench.locate import REPOSITORY, read_grids
from bench.machine import emit
from geo.partition import partition
from geo.plots import Homes, plots_of

SHARED = REPOSITORY.parent / "shared" / "data"
GRIDS = SHARED / "grids" / "taipei_wanhua.geojson"
BUILDINGS = SHARED / "buildings" / "taipei_building_points.csv.gz"
WANTED = 300
SEED = 1


def read_homes(path: Path, *, within: shapely.Geometry, buildings: int) -> Homes:
    """The first buildings on some ground, with 1 to 18 households each, always the same."""
    shapely.prepare(within)
    with gzip.open(path, "rt", encoding="utf-8") as text:
        rows = ((float(each["lon"]), float(each["lat"])) for each in csv.DictReader(text))
        inside = (each for each in rows if shapely.intersects_xy(within, *each))
        places = np.array(list(islice(inside, buildings)))
    households = np.random.default_rng(SEED).integers(1, 19, len(places))
    return Homes(lons=places[:, 0], lats=places[:, 1], households=households)


def main() -> None:
    """Measure once and print one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--buildings", type=int, default=3_000)
    asked = parser.parse_args()
    ground = shapely.union_all(list(read_grids(GRIDS).values()))
    homes = read_homes(BUILDINGS, within=ground, buildings=asked.buildings)
    begun = process_time()
    shapely.voronoi_polygons(shapely.multipoints(np.stack([homes.lons, homes.lats], axis=1)))
    ceiling = process_time() - begun
    begun = process_time()
    plots = plots_of(ground, homes)
    found = partition(plots.places, round(int(homes.households.sum()) / WANTED))
    for number in range(len(found.weights)):
        plots.boundary([at for at, part in enumerate(found.parts) if part == number])
    figure = process_time() - begun
    emit(
        {
            "bench": "partition",
            "name": "proposal",
            "buildings": len(homes.lons),
            "grids": len(found.weights),
            "deviation": round(found.deviation, 4),
            "figure": round(figure, 2),
            "unit": "CPU seconds",
            "ceiling": round(ceiling, 3),
            "ratio": round(ceiling / figure, 3),
            "target": "deviation <= 0.1, figure <= 2",
        }
    )


if __name__ == "__main__":
    main()
