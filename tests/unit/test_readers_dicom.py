"""DICOM series: order, meaning, several in one place, and that nothing of the patient comes out of the file."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RLELossless, generate_uid

from zbench.datasets import load, prepared, read_file, read_voxels
from zbench.errors import DataError, RefusedError
from zbench.model import Box

PATIENT = "SECRET^PERSON"
SERIES = generate_uid()


@pytest.fixture
def values(rng):
    return rng.integers(-1000, 3000, (5, 6, 7)).astype("i2")


def dicom(plane, **told):
    """Bytes of a CT image as a scanner writes it, some tags replaced, those of ``None`` left out."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = told.pop("syntax", ExplicitVRLittleEndian)
    image.file_meta.MediaStorageSOPClassUID = CTImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    tags = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": image.file_meta.MediaStorageSOPInstanceUID,
        "PatientName": PATIENT,
        "PatientID": PATIENT,
        "InstitutionName": PATIENT,
        "SeriesDescription": PATIENT,
        "Modality": "CT",
        "SeriesInstanceUID": SERIES,
        "SeriesNumber": 2,
        "InstanceNumber": 1,
        "ImagePositionPatient": [0, 0, 0],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [0.5, 0.25],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": plane.shape[-2],
        "Columns": plane.shape[-1],
        "BitsAllocated": plane.dtype.itemsize * 8,
        "BitsStored": plane.dtype.itemsize * 8,
        "HighBit": plane.dtype.itemsize * 8 - 1,
        "PixelRepresentation": int(plane.dtype.kind == "i"),
        "PixelData": plane.tobytes(),
    }
    for name, value in (tags | told).items():
        if value is not None:
            setattr(image, name, value)
    image["PixelData"].VR = "OW"
    kept = io.BytesIO()
    image.save_as(kept, enforce_file_format=True)
    return kept.getvalue()


def planes(values, step=2.0, **told):
    """Files of a series whose names, numbers and order in a folder all lie about the order of its planes."""
    count = len(values)
    return {
        f"{(index * 2) % count}.dcm": dicom(
            plane, ImagePositionPatient=[0, 0, index * step], InstanceNumber=count - index, **told
        )
        for index, plane in enumerate(values)
    }


def foldered(path, files):
    path.mkdir()
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


def zipped(path, files):
    path = path.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"exported/{name}", data)
    return path


def tarred(path, files):
    path = path.with_suffix(".tgz")
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            told = tarfile.TarInfo(name)
            told.size = len(data)
            archive.addfile(told, io.BytesIO(data))
    return path


HOLDERS = [pytest.param(hold, id=hold.__name__) for hold in (foldered, zipped, tarred)]


@pytest.mark.parametrize("hold", HOLDERS)
def test_planes_are_ordered_by_their_position(tmp_path, values, hold):
    volume = read_file(hold(tmp_path / "a", planes(values)))
    assert (volume.shape, volume.axes, volume.array.dtype) == ((5, 6, 7), "zyx", "i2")
    np.testing.assert_array_equal(read_voxels(volume), values)


def test_position_counts_along_the_normal_of_the_planes(tmp_path, values):
    # Sagittal planes: rows run along y, columns along -z, and the normal along x.
    files = {
        f"{index}.dcm": dicom(
            plane, ImageOrientationPatient=[0, 1, 0, 0, 0, -1], ImagePositionPatient=[-1.5 * index, 9 - index, 0]
        )
        for index, plane in enumerate(values)
    }
    volume = read_file(foldered(tmp_path / "a", files))
    np.testing.assert_array_equal(read_voxels(volume), values)
    assert volume.spacing == (1.5, 0.5, 0.25)


def test_planes_without_a_position_are_ordered_by_their_number(tmp_path, values):
    files = {
        f"{index}.dcm": dicom(plane, InstanceNumber=10 - index, ImagePositionPatient=None)
        for index, plane in enumerate(values)
    }
    volume = read_file(foldered(tmp_path / "a", files))
    np.testing.assert_array_equal(read_voxels(volume), values[::-1])
    assert volume.spacing is None


def test_spacing_is_in_millimetres_between_planes_rows_and_columns(tmp_path, values):
    volume = read_file(foldered(tmp_path / "a", planes(values, step=-2.5)))
    assert (volume.spacing, volume.spacing_unit) == ((2.5, 0.5, 0.25), "millimeter")


@pytest.mark.parametrize(
    ("place", "told"),
    [
        pytest.param(4, {"ImagePositionPatient": [0, 0, 99]}, id="a gap"),
        pytest.param(2, {"PixelSpacing": [0.5, 0.5]}, id="planes that differ"),
    ],
)
def test_spacing_that_is_not_the_same_everywhere_is_left_out(tmp_path, values, place, told):
    files = planes(values)
    position = {"ImagePositionPatient": [0, 0, 2.0 * place]}
    files[f"{place * 2 % 5}.dcm"] = dicom(values[place], **(position | told))
    volume = read_file(foldered(tmp_path / "a", files))
    assert (volume.spacing, volume.spacing_unit) == (None, None)
    np.testing.assert_array_equal(read_voxels(volume), values)


def test_rescale_to_hounsfield_units_is_kept_as_meaning_and_not_applied(tmp_path, values):
    volume = read_file(foldered(tmp_path / "a", planes(values, RescaleSlope=1, RescaleIntercept=-1024)))
    np.testing.assert_array_equal(read_voxels(volume), values)
    assert (volume.meaning.scale, volume.meaning.offset, volume.meaning.unit) == (1.0, -1024.0, "HU")
    assert volume.meaning.text == "value = number - 1024.0, in HU"


def test_a_rescale_that_differs_from_plane_to_plane_means_nothing_for_the_whole(tmp_path, values):
    files = {
        f"{index}.dcm": dicom(plane, ImagePositionPatient=[0, 0, index], RescaleSlope=1 + index, RescaleIntercept=0)
        for index, plane in enumerate(values)
    }
    volume = read_file(foldered(tmp_path / "a", files))
    assert volume.meaning is None
    np.testing.assert_array_equal(read_voxels(volume), values)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4"])
def test_stored_values_come_in_their_type(tmp_path, values, dtype):
    values = values.astype(dtype)
    volume = read_file(foldered(tmp_path / "a", planes(values)))
    assert volume.array.dtype == dtype
    np.testing.assert_array_equal(read_voxels(volume), values)


def test_a_single_image_has_two_axes(tmp_path, values):
    (tmp_path / "a.dcm").write_bytes(dicom(values[0]))
    volume = read_file(tmp_path / "a.dcm")
    assert (volume.axes, volume.spacing) == ("yx", (0.5, 0.25))
    np.testing.assert_array_equal(read_voxels(volume), values[0])


def test_other_files_beside_a_series_are_left_alone(tmp_path, values):
    files = planes(values) | {"LICENSE": b"text", "preview.png": b"picture", "._0.dcm": b"of macOS"}
    np.testing.assert_array_equal(read_voxels(read_file(foldered(tmp_path / "a", files))), values)


def test_files_without_a_suffix_are_known_by_their_content(tmp_path, values):
    files = {f"I{index}": data for index, data in enumerate(planes(values).values())}
    np.testing.assert_array_equal(read_voxels(read_file(foldered(tmp_path / "a", files))), values)


def test_several_series_want_one_chosen(tmp_path, values):
    other = planes(values + 1, SeriesInstanceUID=generate_uid(), SeriesNumber=11)
    files = planes(values) | {f"other{name}": data for name, data in other.items()}
    path = foldered(tmp_path / "a", files)
    with pytest.raises(DataError, match=r"several arrays.*has series2, series11; none was chosen\. Give --member NAME"):
        read_file(path)
    np.testing.assert_array_equal(read_voxels(read_file(path, member="series11")), values + 1)


def test_series_of_one_number_are_told_apart(tmp_path, values):
    other = planes(values + 1, SeriesInstanceUID=generate_uid())
    files = planes(values) | {f"other{name}": data for name, data in other.items()}
    with pytest.raises(DataError, match="has series2, series2-2"):
        read_file(foldered(tmp_path / "a", files))


def test_times_come_before_planes(tmp_path, values):
    files = {
        f"{time}-{index}.dcm": dicom(
            plane + time, ImagePositionPatient=[0, 0, index], TemporalPositionIdentifier=time, InstanceNumber=index
        )
        for time in (2, 1)
        for index, plane in enumerate(values)
    }
    volume = read_file(foldered(tmp_path / "a", files))
    assert (volume.axes, volume.spacing) == ("tzyx", (1.0, 0.5, 0.25))
    np.testing.assert_array_equal(read_voxels(volume), [values + 1, values + 2])
    later = read_file(tmp_path / "a", member="@t=1")
    assert (later.axes, later.spacing) == ("zyx", (1.0, 0.5, 0.25))
    np.testing.assert_array_equal(read_voxels(later), values + 2)


def test_a_time_without_all_planes_is_refused(tmp_path, values):
    files = {
        f"{time}-{index}.dcm": dicom(plane, ImagePositionPatient=[0, 0, index], TemporalPositionIdentifier=time)
        for time in (1, 2)
        for index, plane in enumerate(values)
    }
    del files["2-3.dcm"]
    with pytest.raises(DataError, match=r"all planes at all times: .* has 5, 4 of them"):
        read_file(foldered(tmp_path / "a", files))


def frames(values, positions, **told):
    """A file of many frames: what is the same for all stands once, places stand with each frame."""
    shared, measures, transformation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [0.5, 0.25]
    transformation.RescaleSlope, transformation.RescaleIntercept, transformation.RescaleType = 2, 5, "HU"
    orientation = Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PixelValueTransformationSequence = [measures], [transformation]
    shared.PlaneOrientationSequence = [orientation]
    each = []
    for position in positions:
        place, group = Dataset(), Dataset()
        place.ImagePositionPatient = [0, 0, position]
        group.PlanePositionSequence = [place]
        each.append(group)
    return dicom(
        values,
        NumberOfFrames=len(values),
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=each,
        ImagePositionPatient=None,
        ImageOrientationPatient=None,
        PixelSpacing=None,
        **told,
    )


def test_frames_of_one_file_are_ordered_by_their_position(tmp_path, values):
    (tmp_path / "a.dcm").write_bytes(frames(values, [8, 6, 4, 2, 0]))
    volume = read_file(tmp_path / "a.dcm")
    assert (volume.spacing, volume.meaning.scale, volume.meaning.offset) == ((2.0, 0.5, 0.25), 2.0, 5.0)
    np.testing.assert_array_equal(read_voxels(volume), values[::-1])


def test_frames_without_places_keep_their_order(tmp_path, values):
    (tmp_path / "a.dcm").write_bytes(dicom(values, NumberOfFrames=len(values)))
    volume = read_file(tmp_path / "a.dcm")
    assert volume.spacing is None
    np.testing.assert_array_equal(read_voxels(volume), values)


def test_frames_in_a_zip_are_read_as_those_of_a_file(tmp_path, values):
    path = zipped(tmp_path / "a", {"a.dcm": frames(values, [0, 2, 4, 6, 8])})
    volume = read_file(path)
    np.testing.assert_array_equal(read_voxels(volume), values)
    np.testing.assert_array_equal(read_voxels(volume, Box((3, 0, 0), (5, 2, 2))), values[3:, :2, :2])


@pytest.mark.parametrize("hold", HOLDERS[:2])
def test_only_the_planes_of_a_box_are_decoded(tmp_path, values, hold):
    files = planes(values)
    # Its header is whole, its pixels are not.
    files["3.dcm"] = files["3.dcm"][:-20]
    volume = read_file(hold(tmp_path / "a", files))
    np.testing.assert_array_equal(read_voxels(volume, Box((0, 1, 2), (4, 5, 6))), values[:4, 1:5, 2:6])
    with pytest.raises(DataError, match=r"must be whole.*'.*a"):
        read_voxels(volume)


def test_packed_pixels_are_unpacked(tmp_path, values):
    image = pydicom.dcmread(io.BytesIO(dicom(values[0].astype("u2"))))
    image.compress(RLELossless)
    image.save_as(tmp_path / "a.dcm")
    np.testing.assert_array_equal(read_voxels(read_file(tmp_path / "a.dcm")), values[0].astype("u2"))


def test_a_compression_that_needs_a_package_names_it(tmp_path, values, monkeypatch):
    image = pydicom.dcmread(io.BytesIO(dicom(values[0])))
    image.file_meta.TransferSyntaxUID = pydicom.uid.HTJ2KLossless
    image.PixelData = pydicom.encaps.encapsulate([b"packed"])
    image["PixelData"].is_undefined_length = True
    image.save_as(tmp_path / "a.dcm")
    with pytest.raises(RefusedError, match=r"'a\.dcm' .* is High-Throughput JPEG 2000.*pip install pylibjpeg"):
        read_file(tmp_path / "a.dcm")


@pytest.mark.parametrize(
    ("told", "error", "match"),
    [
        pytest.param(
            {"ImagePositionPatient": [0, 0, 2]}, DataError, "places of their own: .* lie at the same", id="copy"
        ),
        pytest.param({"ImageOrientationPatient": [0, 1, 0, 1, 0, 0]}, DataError, "planes .* are parallel", id="across"),
        pytest.param({"Rows": 3, "Columns": 14}, DataError, r"one shape and type: .*\(3, 14\)", id="shape"),
        pytest.param({"PixelRepresentation": 0}, DataError, "one shape and type: .*uint16", id="type"),
        pytest.param(
            {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, RefusedError, "RGB, with col", id="RGB"
        ),
        pytest.param({"PhotometricInterpretation": "PALETTE COLOR"}, RefusedError, "PALETTE COLOR, with", id="palette"),
        pytest.param({"Rows": None}, DataError, "says how many rows", id="no rows"),
        pytest.param(
            {"NumberOfFrames": 2**31 - 1}, DataError, "100000 frames at most: .* says 2147483647", id="frames"
        ),
    ],
)
def test_a_series_with_a_plane_that_does_not_fit_is_refused(tmp_path, values, told, error, match):
    files = planes(values)
    files["3.dcm"] = dicom(values[4], **({"ImagePositionPatient": [0, 0, 8]} | told))
    with pytest.raises(error, match=match):
        read_file(foldered(tmp_path / "a", files))


def test_a_file_that_is_named_dicom_and_is_none_is_refused(tmp_path):
    (tmp_path / "a.dcm").write_bytes(bytes(300))
    with pytest.raises(DataError, match=r"begins with a preamble and DICM: 'a\.dcm' of '.*a\.dcm' does not"):
        read_file(tmp_path / "a.dcm")


def test_a_whole_that_does_not_fit_the_memory_is_read_by_boxes_only(tmp_path, values, monkeypatch):
    volume = read_file(foldered(tmp_path / "a", planes(values)))
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 400}.__getitem__)
    np.testing.assert_array_equal(read_voxels(volume, Box((0, 0, 0), (2, 6, 7))), values[:2])
    for read in (read_voxels, lambda whole: whole.array[...]):
        with pytest.raises(DataError, match="half the memory"):
            read(volume)


def everything_kept(folder):
    return b"".join(path.read_bytes() + str(path).encode() for path in folder.rglob("*") if path.is_file())


def test_nothing_of_the_patient_leaves_the_file(tmp_path, values, monkeypatch):
    monkeypatch.setenv("ZBENCH_CACHE_DIR", str(tmp_path / "cache"))
    path = foldered(tmp_path / "scan", planes(values))
    assert PATIENT.encode() in everything_kept(path)
    volume = load(str(path))
    prepared(str(path))
    told = [repr(volume), repr(vars(volume.array))]
    files = planes(values)
    for spoilt in (files["3.dcm"][:-20], files["3.dcm"][:700], files["3.dcm"].replace(b"DICM", b"DICN")):
        (path / "3.dcm").write_bytes(spoilt)
        with pytest.raises(DataError) as caught:
            read_voxels(read_file(path))
        told.append(str(caught.value))
    assert PATIENT not in "".join(told)
    assert PATIENT.encode() not in everything_kept(tmp_path / "cache")
    assert len(everything_kept(tmp_path / "cache")) > values.nbytes


def test_tags_of_the_patient_are_not_even_read(tmp_path, values, monkeypatch):
    seen, dcmread = set(), pydicom.dcmread

    def watched(*arguments, **options):
        found = dcmread(*arguments, **options)
        seen.update(element.tag for element in found)
        return found

    monkeypatch.setattr(pydicom, "dcmread", watched)
    read_file(foldered(tmp_path / "scan", planes(values)))
    assert {tag.group for tag in seen} <= {0x0008, 0x0018, 0x0020, 0x0028, 0x0040, 0x0054, 0x5200}
    assert pydicom.tag.Tag("Rows") in seen
    assert {pydicom.tag.Tag(name) for name in ("PatientName", "InstitutionName", "SeriesDescription")} & seen == set()


def test_a_value_of_the_patient_that_breaks_a_rule_is_not_told(tmp_path, values, capsys, recwarn):
    spoilt = dicom(values[0]).replace(PATIENT.encode(), b"\xffSECRET^\x00PERS")
    (tmp_path / "a.dcm").write_bytes(spoilt)
    np.testing.assert_array_equal(read_voxels(read_file(tmp_path / "a.dcm")), values[0])
    assert "SECRET" not in "".join([*capsys.readouterr(), *(str(one.message) for one in recwarn)])
