"""Why a file or a solid does not become a record. Loads no CAD kernel, so that every process may import it."""

REJECT_REASONS = (
    "missing",  # the file is not there
    "broken_link",  # a link to what is not there, or that leads in a circle
    "no_access",  # the system refuses to read the file or the folder
    "bad_name",  # the file's name is not UTF-8
    "unreadable",  # not STEP, or broken beyond reading
    "no_solid",  # nothing in the file could be made into a shape
    "open_shell",  # a shell that bounds no volume, or a solid that lost faces
    "sheet_body",  # a face that belongs to no shell
    "wireframe",  # curves and points that belong to no face
    "no_geometry",  # a face without a surface, as in a mesh, or an edge without a curve
    "not_transferred",  # the kernel could make nothing of this part of the file
    "other_file",  # a part that the file only refers to
    "scaled_placement",  # a placement that changes sizes
    "too_large",  # a compressed file that unpacks to too much
    "too_many_faces",
    "degenerate",  # a face without extent, or with an infinite one
    "not_written",  # the kernel can't write it in the format that was asked for
    "duplicate",  # the same bytes came before under another name
    "timeout",
    "memory",
    "crash",  # the process died
    "internal",  # an exception nobody expected
)


class Reject(Exception):
    """One file or solid that is left out.

    Args:
        reason: one of REJECT_REASONS; reports count by it.
        detail: one line for a person.
    """

    def __init__(self, reason: str, detail: str) -> None:
        assert reason in REJECT_REASONS, reason
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
