"""Recurrent models for the parity scripts, of either Keras: every class, states in and out, stacks, both directions, one in another."""


def kinds(keras, L):
    """Each class, with the options that change its weights."""
    return keras.Sequential([
        L.Input((6, 3)), L.LSTM(4, return_sequences=True, use_bias=False), L.LSTM(3, return_sequences=True, unit_forget_bias=False),
        L.GRU(4, return_sequences=True), L.GRU(3, reset_after=False, go_backwards=True, return_sequences=True),
        L.SimpleRNN(4, activation="relu", return_sequences=True), L.RNN(L.LSTMCell(3)), L.Dense(2)
    ])


def tagger(keras, L):
    """Masks through both directions, both ways of merging that change a shape."""
    return keras.Sequential([
        L.Input((6,), dtype="int32"), L.Embedding(9, 4, mask_zero=True), L.Bidirectional(L.LSTM(3, return_sequences=True)),
        L.Bidirectional(L.GRU(4, return_sequences=True), merge_mode="sum"), L.TimeDistributed(L.Dense(2))
    ])


def stacks(keras, L):
    x = L.Input((6, 3))
    y = L.RNN(L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(4), L.SimpleRNNCell(2)]), return_sequences=True)(x)
    y = L.Bidirectional(L.RNN([L.GRUCell(3, reset_after=False), L.LSTMCell(2)], return_sequences=True))(y)
    return keras.Model(x, L.Dense(2)(L.RNN(L.SimpleRNNCell(3))(y)))


def encoder_decoder(keras, L):
    x, y = L.Input((5, 3), name="source"), L.Input((4, 3), name="target")
    _, h, c = L.LSTM(4, return_state=True)(x)
    decoded, _, _ = L.LSTM(4, return_sequences=True, return_state=True)(y, initial_state=[h, c])
    _, *states = L.Bidirectional(L.GRU(3, return_state=True))(x)
    decoded = L.Bidirectional(L.GRU(3, return_sequences=True))(decoded, initial_state=states)
    return keras.Model([x, y], L.Dense(2)(decoded))


def nested(keras, L):
    """In a model, which TimeDistributed and another hold; both halves' outputs apart; another layer backwards."""
    i = L.Input((4, 3))
    inner = keras.Model(i, L.Bidirectional(L.LSTM(2))(i), name="inner")
    x = L.Input((3, 4, 3))
    y = L.TimeDistributed(inner)(x)
    forward, backward = L.Bidirectional(L.SimpleRNN(3, return_sequences=True), merge_mode=None)(y)
    z = keras.Sequential([L.GRU(3, return_sequences=True), L.Bidirectional(L.LSTM(2, return_sequences=True), backward_layer=L.GRU(2, return_sequences=True, go_backwards=True))], name="tail")
    return keras.Model(x, L.Dense(2)(L.GRU(2)(z(L.add([forward, backward])))))


def conv(keras, L):
    """Convolutions inside the loop: images, both ways, in TimeDistributed, and their states given on."""
    x = L.Input((3, 5, 4, 2))
    y, h, c = L.ConvLSTM2D(2, 3, padding="same", return_sequences=True, return_state=True, recurrent_activation="sigmoid")(x)
    y = L.ConvLSTM2D(2, 3, padding="same", return_sequences=True, recurrent_activation="sigmoid")(y, initial_state=[h, c])
    y = L.Bidirectional(L.ConvLSTM2D(3, 2, strides=2, return_sequences=True, recurrent_activation="sigmoid"))(y)
    y = L.TimeDistributed(L.ConvLSTM1D(2, 2, use_bias=False, recurrent_activation="sigmoid"))(y)
    return keras.Model(x, L.Dense(2)(L.Flatten()(y)))


def stateful(keras, L):
    """Goes on from batch to batch; no file holds the states. Keras 3 cannot reset those of a stack."""
    return keras.Sequential([
        L.Input(batch_shape=(4, 6, 3)), L.Bidirectional(L.LSTM(3, stateful=True, return_sequences=True)),
        L.RNN(L.GRUCell(3), stateful=True, return_sequences=True), L.SimpleRNN(3, stateful=True), L.Dense(2)
    ])


def reset(model):
    """Of either Keras."""
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_states()


MODELS = {"rnn_kinds": kinds, "rnn_tagger": tagger, "rnn_stacks": stacks, "rnn_encoder_decoder": encoder_decoder, "rnn_nested": nested, "rnn_stateful": stateful, "rnn_conv": conv}


def build(name, keras):
    return MODELS[name](keras, keras.layers)


def inputs_for(model, rng, rows):
    """Numbers, or words of which some are masked; as many rows as the model is made for."""
    def one(t):
        shape = (t.shape[0] or rows,) + tuple(t.shape[1:])
        return rng.integers(0, 9, shape).astype("int32") if "int" in str(getattr(t.dtype, "name", t.dtype)) else rng.normal(size=shape).astype("float32")

    return [one(t) for t in model.inputs]
