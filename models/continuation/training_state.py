"""What a training leaves so that the next one goes on from it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import keras
import numpy as np
import tensorflow as tf

from models.continuation.array_file import read_array, write_variable
from models.continuation.vocabulary import Vocabulary, grown_rows
from models.layers.id_embedding import IdEmbedding
from transforms.configuration import from_values
from transforms.input_error import InputError

STATE_FILE = "state.json"
FOLDER = "Training-State"


@dataclass(frozen=True)
class _Ids:
    """The ids of a table that a state knows."""

    size: int
    digest: str


@dataclass(frozen=True)
class _Array:
    """A variable of the model: its shape, and of a table the feature."""

    shape: tuple[int, ...]
    slots: int
    table: str | None = None


@dataclass(frozen=True)
class TrainingState:
    """What a training left: the values of all variables that it trained, the optimizer's, and what they mean.

    It lies in a folder of its own: `state.json` says what there is, and each array is a file of bare numbers, so that
    reading it runs nothing that somebody else wrote.

    Attributes:
        folder: where the arrays are.
        steps: of the optimizer.
        arrays: of the model's variables, in their order.
        ids: of each table that has a vocabulary, by feature.
        encoders: by modality, the fingerprint of the encoder whose embeddings the model was trained with.
    """

    folder: str
    steps: int
    arrays: tuple[_Array, ...]
    ids: Mapping[str, _Ids]
    encoders: Mapping[str, str]

    @classmethod
    def write(
        cls,
        folder: str,
        model: keras.Model,
        tables: Mapping[str, IdEmbedding],
        vocabularies: Mapping[str, Vocabulary],
        encoders: Mapping[str, str],
    ) -> None:
        """Writes the state of a model after its training.

        Args:
            folder: the folder to make.
            model: trained; its optimizer is a `RowwiseAdagrad`, its frozen embeddings, `model.embeddings`, are left
                out: they are those of the next day's catalog.
            tables: the model's tables by feature.
            vocabularies: of the tables that have one.
            encoders: see above.
        """
        tf.io.gfile.makedirs(folder)
        arrays = []
        for number, variable in enumerate(_variables(model)):
            slots = model.optimizer.slots(variable)
            for place, values in enumerate((variable, *slots)):
                write_variable(_file(folder, number, place), values)
            arrays.append(_Array(tuple(variable.shape), len(slots), _feature(variable, tables)))
        content = {
            "steps": int(model.optimizer.iterations.numpy()),
            "arrays": [asdict(array) for array in arrays],
            "ids": {
                name: {"size": vocabulary.size, "digest": vocabulary.digest(vocabulary.size)}
                for name, vocabulary in vocabularies.items()
            },
            "encoders": dict(encoders),
        }
        # Last, so that a state is there whole or not at all.
        with tf.io.gfile.GFile(f"{folder}/{STATE_FILE}", "w") as stream:
            stream.write(json.dumps(content, indent=2))

    @classmethod
    def read(cls, folder: str) -> "TrainingState":
        """Reads what there is; the arrays stay where they are.

        Raises:
            InputError: the folder holds no state.
        """
        path = f"{folder}/{STATE_FILE}"
        try:
            with tf.io.gfile.GFile(path, "r") as stream:
                content = json.loads(stream.read())
            return cls(
                folder,
                int(content["steps"]),
                tuple(from_values(_Array, array) for array in content["arrays"]),
                {name: from_values(_Ids, value) for name, value in content["ids"].items()},
                dict(content["encoders"]),
            )
        except tf.errors.NotFoundError:
            raise InputError(f"{path}: expected the state of a training to go on from, found none") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: expected the state of a training, got another file") from error

    def restore(
        self,
        model: keras.Model,
        tables: Mapping[str, IdEmbedding],
        vocabularies: Mapping[str, Vocabulary],
        anew: Sequence[keras.layers.Layer] = (),
    ) -> None:
        """Has a compiled model go on from here.

        A row whose id was not known yet keeps what the model was made with: the initial values of a fresh row, and
        a slot that has seen no gradient.

        Args:
            model: compiled, of the same sizes but for the tables, which may be larger.
            tables: its tables by feature.
            vocabularies: its vocabularies; they begin with the ids that this state knows.
            anew: layers that begin from nothing instead.
        Raises:
            InputError: the model is another one than the state is of.
        """
        self._check(vocabularies)
        variables = _variables(model)
        if len(variables) != len(self.arrays):
            raise self._other_model(f"{len(self.arrays)} variables", len(variables))
        left_out = {id(variable) for layer in anew for variable in layer.weights}
        model.optimizer.build(model.trainable_variables)
        for number, (variable, array) in enumerate(zip(variables, self.arrays, strict=True)):
            if id(variable) in left_out:
                continue
            slots = model.optimizer.slots(variable)
            if _feature(variable, tables) != array.table or len(slots) != array.slots:
                raise self._other_model(f"variable {number} of {array}", variable.path)
            for place, values in enumerate((variable, *slots)):
                self._fill(values, number, place, vocabularies)
        model.optimizer.iterations.assign(self.steps)

    def _fill(
        self, values: keras.Variable, number: int, place: int, vocabularies: Mapping[str, Vocabulary]
    ) -> None:
        array = self.arrays[number]
        before, now = (known.get(array.table or "") for known in (self.ids, vocabularies))
        growth = now.size - before.size if before and now else 0
        if tuple(values.shape) != (array.shape[0] + growth, *array.shape[1:]):
            raise self._other_model(f"{list(array.shape)} and {growth} more rows", list(values.shape))
        for start, part in read_array(_file(self.folder, number, place), array.shape):
            rows = np.arange(start, start + len(part))
            if before and now:
                rows = grown_rows(rows, before.size, now.size)
            values.value.scatter_update(tf.IndexedSlices(tf.constant(part), rows))

    def _check(self, vocabularies: Mapping[str, Vocabulary]) -> None:
        if set(vocabularies) != set(self.ids):
            raise self._other_model(f"ids of {sorted(self.ids)}", sorted(vocabularies))
        for name, known in self.ids.items():
            if vocabularies[name].digest(known.size) != known.digest:
                raise InputError(
                    f"{self.folder}: the model to go on from knows other {name}s than {vocabularies[name].path} "
                    f"begins with; run the days after its own again, in their order"
                )

    def _other_model(self, expected: object, got: object) -> InputError:
        return InputError(
            f"{self.folder}: the model to go on from is another one (expected {expected}, got {got}); a model "
            "that is configured otherwise needs a ROOT of its own"
        )


def _variables(model: keras.Model) -> list[keras.Variable]:
    """All that is learned, in the order in which the model makes it."""
    frozen = {id(variable) for variable in model.embeddings.weights}
    return [variable for variable in model.weights if id(variable) not in frozen]


def _feature(variable: keras.Variable, tables: Mapping[str, IdEmbedding]) -> str | None:
    return next((name for name, table in tables.items() if table.table is variable), None)


def _file(folder: str, number: int, place: int) -> str:
    """Of a variable (place 0), or one of its slots."""
    return f"{folder}/{number:04d}-{place}.f32"
