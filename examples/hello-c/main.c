/*
 * A C program with two lives: a Linux process, or a virtual machine with nothing else inside.
 *
 *     gcc -static -no-pie -O2 main.c "$(cargo lintel object)" -o hello-c
 *
 * It prints its arguments and the environment variable GREETING, then a table that it allocates,
 * sorts with qsort and prints with floating point. Nothing in the output depends on the life it
 * is living.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct planet {
    const char *name;
    double radius_km;
    double distance_au; /* semi-major axis of the orbit */
};

static const struct planet PLANETS[] = {
    {"Earth", 6371.0, 1.0},    {"Jupiter", 69911.0, 5.2038}, {"Mars", 3389.5, 1.5237},
    {"Mercury", 2439.7, 0.3871}, {"Neptune", 24622.0, 30.07},  {"Saturn", 58232.0, 9.5826},
    {"Uranus", 25362.0, 19.191}, {"Venus", 6051.8, 0.7233},
};
#define COUNT (sizeof PLANETS / sizeof PLANETS[0])

#define LIGHT_MINUTES_PER_AU 8.316746397

static int by_distance(const void *left, const void *right)
{
    const struct planet *a = left, *b = right;
    return (a->distance_au > b->distance_au) - (a->distance_au < b->distance_au);
}

/* Prints the table sorted by distance; 0, or -1 when there is no memory for the copy. */
static int print_planets(void)
{
    struct planet *table = malloc(sizeof PLANETS);
    if (table == NULL)
        return -1;
    memcpy(table, PLANETS, sizeof PLANETS);
    qsort(table, COUNT, sizeof table[0], by_distance);

    printf("%-8s %10s %8s %10s\n", "planet", "radius/km", "a/au", "light/min");
    for (size_t i = 0; i < COUNT; i++) {
        double a = table[i].distance_au;
        double minutes = a * LIGHT_MINUTES_PER_AU;
        printf("%-8s %10.1f %8.4f %10.3f\n", table[i].name, table[i].radius_km, a, minutes);
    }
    free(table);
    return 0;
}

int main(int argc, char **argv)
{
    const char *greeting = getenv("GREETING");

    printf("%s from C!\n", greeting != NULL ? greeting : "Hello");
    for (int i = 1; i < argc; i++)
        printf("argv[%d] = %s\n", i, argv[i]);
    if (print_planets() != 0) {
        fprintf(stderr, "hello-c: cannot allocate the table: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    printf("%g %e %a %.10Lf\n", 0.1, 6.02214076e23, 1.5, 2.0L / 3.0L);
    return EXIT_SUCCESS;
}
