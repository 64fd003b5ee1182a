"""Exercises of lesson 8: fair shares, one gradient out of several, a mean over crops and scales, a mean pixel, a "
"bill."""

import torch

from course_tools.checks.exercise import Exercise, show


def share_questions(generator):
    pairs = [(12, 3), (10, 4), (2, 3), (int(torch.randint(50, 999, (1,), generator=generator)), 7)]
    return [(images, rank, world) for images, world in pairs for rank in range(world)]


def share_verdict(questions, replies):
    """None where the ranks' shares hold every image once and differ by at most one."""
    for images, world in dict.fromkeys((images, world) for images, _, world in questions):
        shares = [reply for (n, _, w), reply in zip(questions, replies) if (n, w) == (images, world)]
        given = f"for {images} images and {world} processes"
        if not all(isinstance(share, list) and all(isinstance(number, int) for number in share) for share in shares):
            return (
                f"{show(shares[0])} {given}",
                "a list of image numbers for each rank",
                "give back a list or a range of whole numbers.",
            )
        every, sizes = sorted(number for share in shares for number in share), [len(share) for share in shares]
        came = f"shares of {show(sizes)} images {given}" if images > 12 else f"{show(shares)} {given}"
        expected = "every image in one share, and shares that differ by at most one"
        if any(not 0 <= number < images for number in every):
            return came, expected, f"image numbers run from 0 to {images - 1}."
        if len(shares) > 1 and shares[0] and all(share == shares[0] for share in shares):
            every = "all images" if len(shares[0]) == images else "the same few images"
            return came, expected, f"every process gets {every}: `rank` is not used."
        if len(set(every)) < len(every):
            return came, expected, "some images are in two shares: they would count twice."
        if len(every) < images:
            return (
                came,
                expected,
                "some images are in no share: what is left over from the division has to go somewhere.",
            )
        if max(sizes) - min(sizes) > 1:
            return (
                came,
                expected,
                "the shares are uneven, and all wait for the longest: give the left-over images to different processes.",
            )
    return None


def combine_questions(generator):
    return [
        ([torch.randn(shape, generator=generator) for _ in counts], counts)
        for counts, shape in (([128, 128], (3,)), ([3, 1], (2, 2)), ([5, 0, 2], (4,)))
    ]


def combine(gradients, counts):
    return sum(count * gradient for count, gradient in zip(counts, gradients)) / sum(counts)


def average_questions(generator):
    sides = (((2, 3),), ((1, 1), (3, 4)), ((2, 2), (4, 4), (1, 5)))
    return [([2 * torch.randn(2, 5, h, w, generator=generator) for h, w in sizes],) for sizes in sides]


def average(maps):
    return sum(scores.mean((2, 3)).softmax(1) for scores in maps) / len(maps)


def over_all(maps):
    return torch.cat([scores.flatten(2) for scores in maps], 2).mean(2).softmax(1)


def pixel_questions(generator):
    return [
        ([torch.rand(count, 3, h, w, generator=generator) * 255 for count, h, w in sizes],)
        for sizes in (((4, 3, 5), (1, 6, 4)), ((2, 2, 2), (2, 2, 2), (1, 8, 8)), ((3, 4, 4), (1, 2, 2)))
    ]


def pixel_mean(batches):
    return sum(X.sum((0, 2, 3)) for X in batches) / sum(X[:, 0].numel() for X in batches)


def bill_questions(generator):
    drawn = torch.randint(50, 3000, (2,), generator=generator).tolist()
    return [
        (1_281_167, 74, 400.0, 1, 2.5),
        (1_281_167, 74, float(drawn[0]), 4, 3.0),
        (60_000, 10, float(drawn[1]), 2, 0.6),
    ]


def bill(images, epochs, images_per_second, machines, price):
    hours = images * epochs / images_per_second / 3600 / machines
    return [hours / 24, hours * machines * price]


EXERCISES = [
    Exercise(
        "share",
        share_questions,
        "every image once, and nobody waits for more than one.",
        right=lambda images, rank, world: list(range(rank, images, world)),
        verdict=share_verdict,
    ),
    Exercise(
        "combine",
        combine_questions,
        "the gradient of the whole batch, with empty shares, too.",
        right=combine,
        mistakes=(
            (
                lambda gradients, counts: sum(gradients) / len(gradients),
                "a mean over processes. A share of one picture would count as much as one of a hundred.",
            ),
            (
                lambda gradients, counts: sum(gradients),
                "the sum of the processes' means: as many times too long as there are processes.",
            ),
            (
                lambda gradients, counts: sum(gradients) / sum(counts),
                "divided by all images, and not multiplied by each process's own: a share of many has to weigh more.",
            ),
            (
                lambda gradients, counts: combine(gradients, counts) * sum(counts),
                "the gradient of the summed loss. Divide by the number of all images.",
            ),
            (
                lambda gradients, counts: combine(gradients, counts) * sum(counts) / len(gradients),
                "divided by the number of processes. Weighted sums are "
                "divided by the sum of their weights, the images.",
            ),
            (
                lambda gradients, counts: (
                    sum(gradient for gradient, count in zip(gradients, counts) if count)
                    / sum(count > 0 for count in counts)
                ),
                "empty shares are left out, and the rest count alike. Weight each by its number of images.",
            ),
            (lambda gradients, counts: gradients[0], "the first process's gradient alone."),
        ),
    ),
    Exercise(
        "average_prediction",
        average_questions,
        "scores over places, then softmax, then probabilities over scales.",
        right=average,
        mistakes=(
            (
                lambda maps: sum(scores.softmax(1).mean((2, 3)) for scores in maps) / len(maps),
                "softmax at every place, and then the mean. The paper averages the *scores* over the map first.",
            ),
            (
                over_all,
                "all places of all scales in one mean: a large map would outvote a small one. One prediction for each "
                "scale, then their mean.",
            ),
            (lambda maps: sum(scores.mean((2, 3)) for scores in maps) / len(maps), "scores. A softmax is missing."),
            (
                lambda maps: sum(scores.amax((2, 3)).softmax(1) for scores in maps) / len(maps),
                "the largest score of each map. The paper takes the mean.",
            ),
            (
                lambda maps: (sum(scores.mean((2, 3)) for scores in maps) / len(maps)).softmax(1),
                "scores averaged over the scales, and then one softmax. Over "
                "scales the paper averages the probabilities.",
            ),
            (lambda maps: average(maps).argmax(1), "class numbers. Give back the probabilities."),
            (lambda maps: average(maps[:1]), "only the first scale is used."),
        ),
    ),
    Exercise(
        "pixel_mean",
        pixel_questions,
        "one pass, any batch size, three numbers.",
        right=pixel_mean,
        mistakes=(
            (
                lambda batches: sum(X.mean((0, 2, 3)) for X in batches) / len(batches),
                "a mean of batch means: a pixel of a small batch counts more. Sums first, one division at the end.",
            ),
            (lambda batches: pixel_mean(batches).mean(), "one number. Red, green and blue each have a mean."),
            (
                lambda batches: sum(X.sum((0, 2, 3)) for X in batches) / sum(len(X) for X in batches),
                "divided by the number of pictures, not of pixels.",
            ),
            (lambda batches: batches[0].mean((0, 2, 3)), "the first batch alone."),
            (
                lambda batches: sum(X.mean((2, 3)).sum(0) for X in batches) / sum(len(X) for X in batches),
                "a mean of the pictures' means. Pictures here differ in size, and the mean *pixel* is asked for.",
            ),
            (
                lambda batches: pixel_mean(batches) / 3,
                "divided by three: a channel's pixels are height × width, without the channels.",
            ),
        ),
    ),
    Exercise(
        "bill",
        bill_questions,
        "more machines shorten the wait; the bill stays what it was, if they scale perfectly.",
        right=bill,
        mistakes=(
            (
                lambda n, e, r, m, price: [bill(n, e, r, m, price)[0] * 24, bill(n, e, r, m, price)[1]],
                "hours where days are asked for.",
            ),
            (
                lambda n, e, r, m, price: [bill(n, e, r, m, price)[0], bill(n, e, r, m, price)[1] / m],
                "every machine has to be paid for its hours.",
            ),
            (lambda n, e, r, m, price: bill(n, 1, r, m, price), "the epochs are missing."),
            (
                lambda n, e, r, m, price: bill(n, e, r, 1, price),
                "one machine does it all: more of them share the images.",
            ),
            (
                lambda n, e, r, m, price: [bill(n, e, r, m, price)[0], bill(n, e, r, m, price)[1] * m],
                "machines counted twice in the price: they have shortened the hours already.",
            ),
            (
                lambda n, e, r, m, price: [bill(n, e, r, m, price)[0], bill(n, e, r, m, price)[1] / 24],
                "the price is for an hour, not for a day.",
            ),
        ),
    ),
]
